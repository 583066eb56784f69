import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * SHA-256 over the names and bytes of the baselines. A figure is worth what its baseline is worth:
 * whoever changes one has to change the recorded hash too, in sight of everybody (ATTACKS 41).
 */
export function baselinesHash(folder: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder).filter((name) => name.endsWith('.mjs'));
  for (const name of files.sort()) {
    const bytes = readFileSync(join(folder, name));
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

/** What `baselines/HASH` says. */
export function recordedHash(folder: string): string {
  return readFileSync(join(folder, 'HASH'), 'utf8').trim();
}
