import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface AclOptions {
  /** Of the server that will read it; 6.2 has no key selectors, so its lines differ. */
  readonly version: readonly [major: number, minor: number];
  readonly passwords: { readonly extauthz: string; readonly sessionGateway: string };
  /** As `EXTAUTHZ_SESSION_KEY_PREFIX`. */
  readonly prefix?: string;
  /** Lets both users ask for the slot map, and follow a slot that is on its way. */
  readonly cluster?: boolean;
}

/** The shipped ACL file for a server's version, with the passwords' digests filled in, as its lines. */
export function redisAcl({ version, passwords, prefix, cluster }: AclOptions): string[] {
  const file = version[0] >= 7 ? 'users-redis7.acl' : 'users-redis62.acl';
  const text = readFileSync(new URL(`../../shared/redis/${file}`, import.meta.url), 'utf8')
    .replace('<sha256-of-the-extauthz-password>', sha256(passwords.extauthz))
    .replace('<sha256-of-the-session-gateway-password>', sha256(passwords.sessionGateway))
    .replaceAll('~extauthz:session:*', `~${prefix ?? 'extauthz:session:'}*`);
  const lines = text.trim().split('\n');
  return cluster === true ? lines.map(withSlotMap) : lines;
}

function withSlotMap(line: string): string {
  return line.startsWith('user default ') ? line : `${line} +cluster|slots +cluster|info +asking`;
}

function sha256(password: string): string {
  return createHash('sha256').update(password, 'utf8').digest('hex');
}
