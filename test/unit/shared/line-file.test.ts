import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openLineFile } from '@sallyport/shared/runtime';

describe('a file of lines', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-lines-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('on a full disk counts every line and keeps none, and goes on when there is room', () => {
    const path = join(folder, 'audit.log');
    symlinkSync('/dev/full', path);
    let failures = 0;
    const file = openLineFile(path, (error) => {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      failures += 1;
    });
    for (let count = 0; count < 5000; count += 1) file.write('x'.repeat(199));
    expect(failures).toBe(5000);

    rmSync(path);
    file.reopen();
    file.write('the first that fits');
    expect(readFileSync(path, 'utf8')).toBe('the first that fits\n');
  });
});
