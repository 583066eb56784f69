import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { certificates, type Certificates } from '../../../extauthz/src/certificates.js';
import { certificateAuthority } from '../../support/certificates.js';
import { until } from '../../support/until.js';

const authority = certificateAuthority();
const [first, second] = [authority.issue(), authority.issue()];
/** It is read every few milliseconds; one that never is must fail soon. */
const patience = 5_000;

describe('the certificates of the listeners', () => {
  let directory: string;
  let unit: Certificates;
  let changes: string[];
  let loads: (Error | undefined)[];
  const put = (name: 'cert' | 'key', text: string): void =>
    writeFileSync(join(directory, name), text);
  const current = (): string => unit.current().cert.toString();

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-certificates-'));
    [changes, loads] = [[], []];
    put('cert', first.cert);
    put('key', first.key);
    unit = certificates(
      { cert: join(directory, 'cert'), key: join(directory, 'key') },
      { interval: 5, onLoad: (error) => loads.push(error) },
    );
    unit.onChange(({ cert }) => changes.push(cert.toString()));
    await unit.start();
  });
  afterEach(async () => {
    await unit.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('are read again, and whoever listens is told once', async () => {
    expect(current()).toBe(first.cert);
    put('key', second.key);
    put('cert', second.cert);
    await until(() => changes.length > 0, patience);
    expect(current()).toBe(second.cert);
    expect(changes).toEqual([second.cert]);
  });

  it('stay the last good ones while the files do not fit or are not there, said once', async () => {
    put('cert', second.cert);
    await until(() => loads.length > 1, patience);
    expect([current(), changes]).toEqual([first.cert, []]);
    rmSync(join(directory, 'key'));
    const missing = () => loads.filter((error) => error?.message.includes('ENOENT')).length;
    await until(() => missing() > 0, patience);
    expect([current(), changes]).toEqual([first.cert, []]);
    put('key', second.key);
    await until(() => changes.length > 0, patience);
    expect(current()).toBe(second.cert);
    expect(missing()).toBe(1);
    expect(loads.at(-1)).toBeUndefined();
  });
});
