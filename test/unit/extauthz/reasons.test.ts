import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allowBases, denyReasons } from '../../../extauthz/src/decision.js';

describe('docs/reasons.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/reasons.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z_]+)` +\| +([0-9]+) +\| (.+?) +\|$/gm)].map(
    ([, name, status, meaning]) => [name, Number(status), meaning],
  );

  it('lists every reason with its status and sentence, in the order of the code', () => {
    expect(rows).toEqual([
      ...Object.entries(allowBases).map(([name, detail]) => [name, 200, detail]),
      ...Object.entries(denyReasons).map(([name, { status, detail }]) => [name, status, detail]),
    ]);
  });
});
