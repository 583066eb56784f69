import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { z } from 'zod';
import { flag, port, whole } from './env-types.js';

/** How to reach Redis. One shape for both services. */
export interface RedisConfig {
  /** The server; with a Cluster some of its nodes, with Sentinel the sentinels. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly mode: 'standalone' | 'cluster' | 'sentinel';
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** What the sentinels call the master, and who asks them. There in mode `sentinel`. */
  readonly sentinel?: {
    readonly master: string;
    readonly username?: string;
    readonly password?: string;
  };
}

/** The variables of {@link RedisConfig}, to be spread into a service's schema. */
export const redisVariables = {
  REDIS_URL: z.string().optional(),
  REDIS_HOST: z.string().default('127.0.0.1'),
  REDIS_PORT: port(6379),
  REDIS_DATABASE: whole(0, { min: 0, max: 15, unit: 'a database index' }),
  REDIS_USERNAME: z.string().optional(),
  REDIS_PASSWORD: z.string().optional(),
  REDIS_TLS: flag(false),
  REDIS_CA_CERT: z.string().optional(),
  REDIS_CLIENT_CERT: z.string().optional(),
  REDIS_CLIENT_KEY: z.string().optional(),
  REDIS_CLUSTER_NODES: z.string().optional(),
  REDIS_SENTINELS: z.string().optional(),
  REDIS_SENTINEL_MASTER: z.string().optional(),
  REDIS_SENTINEL_USERNAME: z.string().optional(),
  REDIS_SENTINEL_PASSWORD: z.string().optional(),
  REDIS_PLAINTEXT: z.enum(['acknowledged'], { error: 'may only be "acknowledged".' }).optional(),
};

export type RedisVariables = z.output<z.ZodObject<typeof redisVariables>>;

/** The original's names, accepted (DESIGN §5). */
export const redisAliases = {
  SPRING_DATA_REDIS_HOST: 'REDIS_HOST',
  SPRING_DATA_REDIS_PORT: 'REDIS_PORT',
  SPRING_DATA_REDIS_USERNAME: 'REDIS_USERNAME',
  SPRING_DATA_REDIS_PASSWORD: 'REDIS_PASSWORD',
  SPRING_DATA_REDIS_SSL_ENABLED: 'REDIS_TLS',
  INFRA_CA_CERT_PATH: 'REDIS_CA_CERT',
};

/** The settings, or every problem with them. */
export function redisConfig(
  env: RedisVariables,
): { config: RedisConfig } | { problems: readonly string[] } {
  const problems: string[] = [];
  const url = parseUrl(env.REDIS_URL, problems);
  const nodes = parseNodes(env, url, problems);
  const sentinel = parseSentinel(env, problems);
  const usesTls = env.REDIS_TLS || url?.protocol === 'rediss:';
  const tls = usesTls ? readTls(env, problems) : undefined;
  const beyondLoopback = nodes.find((node) => !isLoopback(node.host));
  if (beyondLoopback && !usesTls && env.REDIS_PLAINTEXT === undefined) {
    problems.push(
      `REDIS_TLS: ${beyondLoopback.host} is not on this machine and would be spoken to in plain text. ` +
        'Set REDIS_TLS=true, or REDIS_PLAINTEXT=acknowledged if the network protects the link.',
    );
  }
  if (problems.length > 0) return { problems };
  const username = url?.username ? decoded(url.username) : env.REDIS_USERNAME;
  const password = url?.password ? decoded(url.password) : env.REDIS_PASSWORD;
  return {
    config: {
      nodes,
      mode: modeOf(env),
      database: url && url.pathname.length > 1 ? Number(url.pathname.slice(1)) : env.REDIS_DATABASE,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
      ...(sentinel === undefined ? {} : { sentinel }),
    },
  };
}

function modeOf(env: RedisVariables): RedisConfig['mode'] {
  if (env.REDIS_SENTINELS !== undefined) return 'sentinel';
  return env.REDIS_CLUSTER_NODES === undefined ? 'standalone' : 'cluster';
}

function parseSentinel(env: RedisVariables, problems: string[]): RedisConfig['sentinel'] {
  const master = env.REDIS_SENTINEL_MASTER;
  const { REDIS_SENTINEL_USERNAME: username, REDIS_SENTINEL_PASSWORD: password } = env;
  if (env.REDIS_SENTINELS === undefined) {
    if (master !== undefined) {
      problems.push(
        'REDIS_SENTINEL_MASTER: goes together with REDIS_SENTINELS. Set both or neither.',
      );
    }
    return undefined;
  }
  for (const other of ['REDIS_URL', 'REDIS_CLUSTER_NODES'] as const) {
    if (env[other] !== undefined) {
      problems.push(`REDIS_SENTINELS: says another place than ${other}. Set one of them.`);
    }
  }
  if (master === undefined) {
    problems.push(
      'REDIS_SENTINEL_MASTER: is required with REDIS_SENTINELS: the master’s name there.',
    );
    return undefined;
  }
  return {
    master,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

function parseUrl(text: string | undefined, problems: string[]): URL | undefined {
  if (text === undefined) return undefined;
  // The text holds a password: no message may repeat it.
  if (!URL.canParse(text) || !/^rediss?:\/\//.test(text)) {
    problems.push(
      'REDIS_URL: is not a URL of the form redis[s]://[user:password@]host[:port][/db].',
    );
    return undefined;
  }
  const url = new URL(text);
  if ([url.username, url.password].some((part) => decoded(part) === undefined)) {
    problems.push('REDIS_URL: the user or the password is not percent-encoded correctly.');
    return undefined;
  }
  if (!/^\/?[0-9]{0,2}$/.test(url.pathname)) {
    problems.push('REDIS_URL: the path must be a database index such as /0.');
    return undefined;
  }
  return url;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseNodes(
  env: RedisVariables,
  url: URL | undefined,
  problems: string[],
): { host: string; port: number }[] {
  if (env.REDIS_SENTINELS !== undefined) {
    return parseList('REDIS_SENTINELS', env.REDIS_SENTINELS, problems);
  }
  if (env.REDIS_CLUSTER_NODES !== undefined) {
    return parseList('REDIS_CLUSTER_NODES', env.REDIS_CLUSTER_NODES, problems);
  }
  return [
    url
      ? { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }
      : { host: env.REDIS_HOST, port: env.REDIS_PORT },
  ];
}

function parseList(
  name: string,
  list: string,
  problems: string[],
): { host: string; port: number }[] {
  return list.split(',').flatMap((text) => {
    const [, host, digits] = /^\s*([^\s,]+):([0-9]{1,5})\s*$/.exec(text) ?? [];
    if (host === undefined || digits === undefined || Number(digits) > 65535) {
      problems.push(`${name}: must be a comma-separated list of host:port.`);
      return [];
    }
    return [{ host: host.replace(/^\[|\]$/g, ''), port: Number(digits) }];
  });
}

function readTls(
  env: RedisVariables,
  problems: string[],
): { ca?: string; cert?: string; key?: string } {
  const read = (name: 'REDIS_CA_CERT' | 'REDIS_CLIENT_CERT' | 'REDIS_CLIENT_KEY') => {
    const path = env[name]?.replace(/^file:(?:\/\/)?/, '');
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      problems.push(`${name}: the file cannot be read (${reason}). Give the path of a PEM file.`);
      return undefined;
    }
  };
  const ca = read('REDIS_CA_CERT');
  const cert = read('REDIS_CLIENT_CERT');
  const key = read('REDIS_CLIENT_KEY');
  if ((cert === undefined) !== (key === undefined)) {
    problems.push('REDIS_CLIENT_CERT: goes together with REDIS_CLIENT_KEY. Set both or neither.');
  }
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    // Also in the middle of a rotation, when one file of a pair is replaced already: ioredis would
    // give up for good on a certificate without its key.
    const reason = (error as NodeJS.ErrnoException).code ?? 'unusable';
    problems.push(`REDIS_CA_CERT, REDIS_CLIENT_CERT, REDIS_CLIENT_KEY: not a PEM set (${reason}).`);
  }
  return tls;
}

/** Whether a host name or address can only be this machine. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    /^127(\.[0-9]{1,3}){3}$/.test(host)
  );
}
