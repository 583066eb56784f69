import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RedisSettings {
  /** The lines of an ACL file. Left out: Redis's default user, who may do everything. */
  readonly acl?: readonly string[];
  /** Or the path of one. */
  readonly aclFile?: string;
  readonly appendOnly?: boolean;
  /** Replaces the plaintext port. Files in PEM form. */
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    readonly ca: string;
    readonly clientCertificate: 'required' | 'optional';
  };
  readonly clusterEnabled?: boolean;
  /** Further lines of redis.conf, e.g. `maxmemory 1mb`. */
  readonly extraConfig?: readonly string[];
}

/** The text of redis.conf. */
export function redisSettings(port: number, directory: string, settings: RedisSettings): string {
  return [
    'bind 127.0.0.1',
    settings.tls === undefined ? `port ${port}` : `port 0\ntls-port ${port}`,
    `dir ${quoted(directory)}`,
    'daemonize no',
    'save ""',
    `appendonly ${settings.appendOnly === true ? 'yes' : 'no'}`,
    'maxmemory-policy noeviction',
    ...tlsLines(settings),
    ...aclLines(directory, settings),
    ...(settings.clusterEnabled === true
      ? ['cluster-enabled yes', 'cluster-config-file nodes.conf', 'cluster-node-timeout 5000']
      : []),
    ...(settings.extraConfig ?? []),
    '',
  ].join('\n');
}

function tlsLines({ tls }: RedisSettings): string[] {
  if (tls === undefined) return [];
  return [
    `tls-cert-file ${quoted(tls.cert)}`,
    `tls-key-file ${quoted(tls.key)}`,
    `tls-ca-cert-file ${quoted(tls.ca)}`,
    `tls-auth-clients ${tls.clientCertificate === 'required' ? 'yes' : 'optional'}`,
  ];
}

function aclLines(directory: string, { acl, aclFile }: RedisSettings): string[] {
  if (acl === undefined) return aclFile === undefined ? [] : [`aclfile ${quoted(aclFile)}`];
  const path = join(directory, 'users.acl');
  writeFileSync(path, `${acl.join('\n')}\n`, { mode: 0o600 });
  return [`aclfile ${quoted(path)}`];
}

function quoted(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`;
}
