import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const rows = readFileSync(join(root, 'docs/features.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:feature|---)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, feature = '', where = '']) => ({ feature, where }));

describe('docs/features.md', () => {
  it('has the rows of nine groups', () => {
    expect(rows.length).toBeGreaterThanOrEqual(44);
  });

  it.each(rows)('$feature: names tests that exist, or says why not', ({ where }) => {
    const files = where.match(/test\/[\w./-]+\.test\.ts/g) ?? [];
    for (const file of files) expect([file, existsSync(join(root, file))]).toEqual([file, true]);
    expect(files.length > 0 || /later: \w+/.test(where)).toBe(true);
  });
});
