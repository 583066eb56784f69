import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { baselinesHash, recordedHash } from '../../../bench/src/frozen.js';

const folder = join(import.meta.dirname, '../../../bench/baselines');

describe('bench/baselines', () => {
  it('is what bench/baselines/HASH says: a changed baseline changes every ratio', () => {
    expect(baselinesHash(folder)).toBe(recordedHash(folder));
  });
});
