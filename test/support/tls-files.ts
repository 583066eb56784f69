import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { redisServerOnPath } from '@sallyport/demo/parts/redis-server';
import type { RedisSettings } from '@sallyport/demo/redis-settings';
import { certificateAuthority } from './certificates.js';

/** Certificates of one authority in files: a server's, a client's, and how each is told of them. */
export interface TlsFiles {
  readonly server: NonNullable<RedisSettings['tls']>;
  /** For a connection of the test's own. */
  readonly client: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly servername?: string;
  };
  /** The variables of a service; with `optional` it has no certificate to show. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * @param clientCertificate `required`: mutual TLS, a client without a certificate is refused
 * @param name the only one that the server's certificate is good for; left out: all of this machine
 */
export function tlsFiles(
  directory: string,
  clientCertificate: 'required' | 'optional' = 'required',
  name?: string,
): TlsFiles {
  mkdirSync(directory, { recursive: true });
  const put = (name: string, text: string): string => {
    const path = join(directory, `${name}.pem`);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const authority = certificateAuthority();
  const server = authority.issue(name === undefined ? {} : { hosts: [name] });
  const client = authority.issue({ name: 'a service' });
  const ca = put('ca', authority.cert);
  return {
    server: {
      ca,
      cert: put('server-cert', server.cert),
      key: put('server-key', server.key),
      clientCertificate,
    },
    client: { ca: authority.cert, ...client, ...(name !== undefined && { servername: name }) },
    env: {
      REDIS_TLS: 'true',
      REDIS_CA_CERT: ca,
      ...(clientCertificate === 'optional'
        ? {}
        : {
            REDIS_CLIENT_CERT: put('client-cert', client.cert),
            REDIS_CLIENT_KEY: put('client-key', client.key),
          }),
    },
  };
}

const onPath = await redisServerOnPath();

/** The one from the wheel (6.2) was built without TLS. */
export const redisHasTls = onPath !== undefined && onPath.version[0] >= 7;
