import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const rows = readFileSync(join(root, 'docs/regressions.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| A?[0-9]+ /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, id = '', , where = '']) => ({ id, where }));

const testNames = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.test\.ts$|^e2e\/edge\.ts$/.test(file) && !file.includes('dist/'))
  .map((file) => readFileSync(join(root, 'test', file), 'utf8'))
  .join('\n');

describe('docs/regressions.md', () => {
  it('has every row once', () => {
    const expected = [
      ...Array.from({ length: 53 }, (_, index) => String(index + 1)),
      ...Array.from({ length: 41 }, (_, index) => `A${String(index + 1)}`),
    ];
    expect(rows.map(({ id }) => id)).toEqual(expected);
  });

  it.each(rows)('row $id names a test that exists, or a later part', ({ where }) => {
    const files = where.match(/test\/[\w./-]+\.test\.ts/g) ?? [];
    const names = where.match(/\breg-(?:A?[0-9]+|CVE-[0-9]+-[0-9]+)\b/g) ?? [];
    for (const file of files) expect([file, existsSync(join(root, file))]).toEqual([file, true]);
    for (const name of names) expect(testNames).toMatch(new RegExp(`\\b${name}(?![-0-9])`));
    expect(files.length + names.length > 0 || /later|npm run|nothing/.test(where)).toBe(true);
  });
});
