import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const document = readFileSync(join(root, 'docs/regressions.md'), 'utf8');
const rows = document
  .split('\n')
  .filter((line) => /^\| A?[0-9]+ /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, id = '', , where = '', without = '']) => ({ id, where, without }));
const beyond = [...document.matchAll(/^- `([a-z0-9-]+)`/gm)].map(([, name = '']) => name);

const patches = readdirSync(join(root, 'test/defence-off'))
  .filter((file) => file.endsWith('.patch'))
  .map((file) => basename(file, '.patch'));
const named = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

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

  it.each(rows)('row $id names patches that exist, or says why there is none', ({ without }) => {
    expect(named(without).filter((name) => !patches.includes(name))).toEqual([]);
    // Ten letters are no reason, but an empty cell is certainly none.
    if (named(without).length === 0) expect(without).toMatch(/^— \S.{10,}$/);
  });

  it('names every patch, in a row or among those beyond the rows, and there once', () => {
    const inRows = new Set(rows.flatMap(({ without }) => named(without)));
    expect([...inRows, ...beyond].sort()).toEqual([...patches].sort());
  });
});
