import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { redisAcl } from '@sallyport/demo/redis-acl';
import { gatewayBinary, sealKeys } from '../support/gateway.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';

interface Run {
  readonly code: number | null;
  readonly out: string;
}

/** The built binary with this environment and no other, until it ends; where it starts after all, here. */
function run(env: Record<string, string>, ...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [gatewayBinary, ...args], { env });
    let out = '';
    const hear = (chunk: Buffer): void => {
      out += chunk.toString();
      if (out.includes('"msg":"ready"')) child.kill('SIGKILL');
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('close', (code) => resolve({ code, out }));
  });
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-refusals-'));
afterAll(() => rmSync(folder, { recursive: true }));

const clientSecret = 'canary-of-the-provider-93-Zq7w';
const redisPassword = 'canary-of-redis-41-Lk8v';
const secretKey = sealKeys.slice(3, 46);
const good = {
  PUBLIC_ORIGIN: 'https://app.acme.test',
  IDP_ISSUER_URI: 'https://login.acme.test/',
  IDP_CLIENT_ID: 'sallyport',
  IDP_CLIENT_SECRET: clientSecret,
  PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service',
  TOKEN_SEAL_KEYS: sealKeys,
  REDIS_PASSWORD: redisPassword,
  // Nothing listens there: a start that is not refused before would end with another message.
  REDIS_PORT: '1',
  GATEWAY_REDIS_PATIENCE_MS: '100',
  GATEWAY_PORT: '0',
  GATEWAY_MANAGEMENT_PORT: '0',
};
const unreadable = join(folder, 'missing');
writeFileSync(join(folder, 'empty'), '');

type Refusal = readonly [what: string, env: Record<string, string>, line: string | RegExp];

/** TRUST §6, what can be seen before anything is started. */
const refusals: readonly Refusal[] = [
  ['no client id', { IDP_CLIENT_ID: '' }, 'IDP_CLIENT_ID: is not set'],
  ['no client secret', { IDP_CLIENT_SECRET: '' }, 'IDP_CLIENT_SECRET: is not set'],
  ['no issuer', { IDP_ISSUER_URI: '' }, 'IDP_ISSUER_URI: is not set'],
  ['a sample client id', { IDP_CLIENT_ID: 'placeholder-id' }, 'IDP_CLIENT_ID: is a placeholder'],
  [
    'a sample secret',
    { IDP_CLIENT_SECRET: 'client-secret' },
    'IDP_CLIENT_SECRET: is a placeholder',
  ],
  [
    'a sample issuer',
    { IDP_ISSUER_URI: 'https://your-tenant.example.com/' },
    'IDP_ISSUER_URI: is a',
  ],
  ['an http issuer', { IDP_ISSUER_URI: 'http://login.acme.test/' }, 'IDP_ISSUER_URI: is http'],
  [
    'an http issuer on loopback without DEV_INSECURE',
    { IDP_ISSUER_URI: 'http://127.0.0.1:9400' },
    'IDP_ISSUER_URI: is http',
  ],
  [
    'an issuer with a query',
    { IDP_ISSUER_URI: 'https://login.acme.test/?a=1' },
    'IDP_ISSUER_URI: must have no query',
  ],
  [
    'a discovery document in place of the issuer',
    { IDP_ISSUER_URI: 'https://login.acme.test/.well-known/openid-configuration' },
    'IDP_ISSUER_URI: is a discovery URL',
  ],
  ['an http origin', { PUBLIC_ORIGIN: 'http://app.acme.test' }, 'PUBLIC_ORIGIN: is http'],
  ['a path behind the origin', { PUBLIC_ORIGIN: 'https://a.test/x' }, 'PUBLIC_ORIGIN: must be an'],
  [
    'an http page after logout',
    { IDP_LOGOUT_RETURN_TO: 'http://app.acme.test/' },
    'IDP_LOGOUT_RETURN_TO: is http',
  ],
  [
    'an http logout template',
    { IDP_LOGOUT_URL_TEMPLATE: 'http://login.acme.test/v2/logout' },
    'IDP_LOGOUT_URL_TEMPLATE: is http',
  ],
  [
    'a permission service in plain text beyond loopback',
    { PERMISSION_SERVICE_URL: 'http://permissions:8086' },
    'PERMISSION_SERVICE_URL: would be spoken to in plain text',
  ],
  ['no seal key', { TOKEN_SEAL_KEYS: '' }, 'TOKEN_SEAL_KEYS: is not set'],
  ['a short seal key', { TOKEN_SEAL_KEYS: 'k1:c2hvcnQ' }, 'TOKEN_SEAL_KEYS: entry 1 is not'],
  [
    'a seal key that is no random one',
    { TOKEN_SEAL_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64url')}` },
    'TOKEN_SEAL_KEYS: entry 1 is not random',
  ],
  [
    'the same key twice',
    { TOKEN_SEAL_KEYS: `a:${secretKey},b:${secretKey}` },
    'a key occurs twice',
  ],
  [
    'the client secret as seal key',
    { IDP_CLIENT_SECRET: secretKey },
    'TOKEN_SEAL_KEYS: holds IDP_CLIENT_SECRET',
  ],
  [
    'the Redis password as seal key',
    { REDIS_PASSWORD: secretKey },
    'TOKEN_SEAL_KEYS: holds REDIS_PASSWORD',
  ],
  [
    'the client secret as Redis password, in its URL',
    { REDIS_PASSWORD: '', REDIS_URL: `redis://u:${clientSecret}@127.0.0.1:1` },
    'REDIS_PASSWORD: is IDP_CLIENT_SECRET',
  ],
  [
    'the client secret as a caller’s token',
    { INTERNAL_API_TOKENS: `admin:${clientSecret}-and-more` },
    'INTERNAL_API_TOKENS: holds IDP_CLIENT_SECRET',
  ],
  [
    'a seal key as a caller’s token',
    { INTERNAL_API_TOKENS: `ops:${'a'.repeat(32)},admin:${secretKey}` },
    'INTERNAL_API_TOKENS: holds a key of TOKEN_SEAL_KEYS',
  ],
  [
    'a seal key in a caller’s token',
    { INTERNAL_API_TOKENS: `admin:t-${secretKey}` },
    'INTERNAL_API_TOKENS: holds a key of TOKEN_SEAL_KEYS',
  ],
  [
    'a short caller’s token',
    { INTERNAL_API_TOKENS: 'admin:short' },
    'INTERNAL_API_TOKENS: entry 1',
  ],
  ['a Redis password of the manuals', { REDIS_PASSWORD: 'foobared' }, 'REDIS_PASSWORD: has a'],
  [
    'one in the URL',
    { REDIS_PASSWORD: '', REDIS_URL: 'redis://default:password@127.0.0.1:1' },
    'REDIS_URL: has a password that everybody knows',
  ],
  [
    'Redis in plain text beyond loopback',
    { REDIS_HOST: 'redis.test' },
    'REDIS_TLS: redis.test is not',
  ],
  [
    'an authority’s certificate that is not there',
    { REDIS_TLS: 'true', REDIS_CA_CERT: unreadable },
    'REDIS_CA_CERT: the file cannot be read (ENOENT)',
  ],
  [
    'a client certificate without its key',
    { REDIS_TLS: 'true', REDIS_CLIENT_CERT: join(folder, 'empty') },
    'REDIS_CLIENT_CERT: goes together with REDIS_CLIENT_KEY',
  ],
  [
    'a cookie without __Host-',
    { SESSION_COOKIE_NAME: 'SESSION' },
    'SESSION_COOKIE_NAME: must be __Host-',
  ],
  [
    'an idle time beyond the absolute one',
    { EXTAUTHZ_SESSION_TTL_SECONDS: '3600', SESSION_ABSOLUTE_TTL_SECONDS: '1800' },
    'EXTAUTHZ_SESSION_TTL_SECONDS: is longer than',
  ],
  [
    'an absolute lifetime beyond a day',
    { SESSION_ABSOLUTE_TTL_SECONDS: '86401' },
    'SESSION_ABSOLUTE_TTL_SECONDS: must be a whole number',
  ],
  [
    'a second refresh while the first may be under way',
    { REFRESH_RETRY_AFTER: '1000', IDP_TIMEOUT_MS: '5000' },
    'REFRESH_RETRY_AFTER: is not longer',
  ],
  ...['session:*', 'a b:', 'x{y}:', 'gateway:', 'g'].map((prefix): Refusal => [
    `the key prefix ${prefix}`,
    { EXTAUTHZ_SESSION_KEY_PREFIX: prefix },
    'EXTAUTHZ_SESSION_KEY_PREFIX:',
  ]),
  [
    'everybody as a proxy',
    { GATEWAY_TRUSTED_PROXIES: '0.0.0.0/0' },
    'GATEWAY_TRUSTED_PROXIES: trusts everybody',
  ],
  [
    'everybody as a proxy, IPv6',
    { GATEWAY_TRUSTED_PROXIES: '10.0.0.0/8,::/0' },
    'trusts everybody',
  ],
  [
    'everybody as a proxy, in two halves',
    { GATEWAY_TRUSTED_PROXIES: '0.0.0.0/1, 128.0.0.0/1' },
    'GATEWAY_TRUSTED_PROXIES: 0.0.0.0/1 holds far more than your proxies',
  ],
  [
    'everybody as a proxy, as IPv4 in IPv6',
    { GATEWAY_TRUSTED_PROXIES: '10.0.0.0/8,::ffff:0:0/96' },
    'GATEWAY_TRUSTED_PROXIES: ::ffff:0:0/96 holds far more than your proxies',
  ],
  [
    'a proxy that is no address',
    { GATEWAY_TRUSTED_PROXIES: 'envoy' },
    'must be addresses or ranges',
  ],
  [
    'operators’ pages on the public port',
    { GATEWAY_PORT: '8081', GATEWAY_MANAGEMENT_PORT: '8081' },
    'GATEWAY_MANAGEMENT_PORT: is GATEWAY_PORT',
  ],
  ['a port that is none', { GATEWAY_PORT: '65536' }, 'GATEWAY_PORT: must be a port'],
  ['a number with letters', { IDP_TIMEOUT_MS: '5s' }, 'IDP_TIMEOUT_MS: must be a whole number'],
  [
    'two values for one setting',
    { AUTH0_CLIENT_ID: 'another' },
    'AUTH0_CLIENT_ID: differs from IDP_CLIENT_ID',
  ],
  [
    'a secret given twice',
    { IDP_CLIENT_SECRET_FILE: join(folder, 'empty') },
    'IDP_CLIENT_SECRET: given both directly and by',
  ],
  [
    'a secret’s file that is empty',
    { IDP_CLIENT_SECRET: '', IDP_CLIENT_SECRET_FILE: join(folder, 'empty') },
    'IDP_CLIENT_SECRET_FILE: the file is empty',
  ],
  [
    'a secret’s file that is not there',
    { TOKEN_SEAL_KEYS: '', TOKEN_SEAL_KEYS_FILE: unreadable },
    'TOKEN_SEAL_KEYS_FILE: the file cannot be read (ENOENT)',
  ],
  [
    'a trial in production',
    { DEV_INSECURE: '1', NODE_ENV: 'production' },
    'DEV_INSECURE: is refused',
  ],
  ['an audit log that is no path', { AUDIT_LOG_FILE: 'audit.log' }, 'AUDIT_LOG_FILE: must be an'],
  [
    'an audit log whose folder is not there',
    { AUDIT_LOG_FILE: join(folder, 'none/audit.log') },
    'AUDIT_LOG_FILE: the file cannot be opened (ENOENT)',
  ],
];

function expectRefusal({ code, out }: Run, line: string | RegExp): void {
  expect({ code, out }).toEqual({ code: 1, out: expect.stringMatching(/./) });
  expect(out).toMatch(typeof line === 'string' ? new RegExp(escaped(line)) : line);
  expect(out).not.toContain('Redis gave no answer');
  for (const secret of [clientSecret, redisPassword, secretKey]) expect(out).not.toContain(secret);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

describe('node session-gateway/dist/main.js refuses to start with', () => {
  // Several at once: each is a process of its own.
  it.concurrent.each(refusals)('%s', async (_, env, line) => {
    expectRefusal(await run({ ...good, ...env }), line);
  });

  it('all of it at once: a value, two values, Redis, a file; each in a line of its own', async () => {
    const { code, out } = await run({
      ...good,
      IDP_CLIENT_ID: '',
      IDP_ISSUER_URI: 'http://login.acme.test/',
      EXTAUTHZ_SESSION_TTL_SECONDS: '3600',
      SESSION_ABSOLUTE_TTL_SECONDS: '1800',
      REDIS_HOST: 'redis.test',
      REDIS_PASSWORD: 'foobared',
      TOKEN_SEAL_KEYS: '',
      TOKEN_SEAL_KEYS_FILE: unreadable,
    });

    expect(code).toBe(1);
    const lines = out.split('\n').filter((line) => line.startsWith('  '));
    for (const name of [
      ...['IDP_CLIENT_ID', 'IDP_ISSUER_URI', 'EXTAUTHZ_SESSION_TTL_SECONDS', 'REDIS_TLS'],
      ...['REDIS_PASSWORD', 'TOKEN_SEAL_KEYS_FILE'],
    ]) {
      expect(lines.filter((line) => line.startsWith(`  ${name}: `))).toHaveLength(1);
    }
    expect(out).not.toContain('foobared');
  });

  it('a command that it does not know', async () => {
    const { code, out } = await run(good, 'rekye');
    expect(code).toBe(2);
    expect(out).toContain('There is no such command');
  });
});

/** Of the shipped line; each is sent by some way of the gateway's own. */
const taken = ['hset', 'hget', 'zadd', 'zrangebyscore', 'pexpireat', 'xreadgroup', 'xautoclaim'];

function permissions(redis: () => TestRedis): void {
  const start = (): Promise<Run> =>
    run({
      ...good,
      REDIS_PASSWORD: '',
      REDIS_PORT: '6379',
      REDIS_URL: redis().servers[0]?.url(users.writer) ?? '',
    });
  const acl = (...rules: string[]) =>
    redis().admins[0]?.call('ACL', 'SETUSER', users.writer.name, ...rules);
  beforeEach(async () => {
    const passwords = { extauthz: users.reader.password, sessionGateway: users.writer.password };
    const line = redisAcl({ version: redis().version, passwords }).find((one) =>
      one.startsWith(`user ${users.writer.name} `),
    );
    await acl('reset', ...(line ?? '').split(' ').slice(2));
  });

  it('that lacks commands: each is named', async () => {
    await acl(...taken.map((name) => `-${name}`));
    const { code, out } = await start();

    expect(code).toBe(1);
    const [, listed = ''] = /may not run ([A-Z, ]+) on gateway:\*/.exec(out) ?? [];
    expect(listed.split(', ').sort()).toEqual(taken.map((name) => name.toUpperCase()).sort());
    expect(out).toContain('shared/redis/README.md');
    expect(out).not.toContain(users.writer.password);
  });

  it('that may not run scripts', async () => {
    await acl('-eval', '-evalsha');
    const { code, out } = await start();

    expect(code).toBe(1);
    expect(out).toContain('may not run EVAL and EVALSHA on gateway:*');
  });

  it('that may not touch the reader’s records, nor the activity stream', async () => {
    await acl('resetkeys', '~gateway:*');
    const { code, out } = await start();

    expect(code).toBe(1);
    expect(out).toContain('may not use the keys extauthz:session:*.');
    expect(out).toContain('may not use the keys extauthz:activity.');
    expect(out).not.toContain('gateway:*');
  });

  it('that lacks the commands no script may send, together with what is wrong with the server', async () => {
    // 6.2 cannot take back a subcommand.
    const script = redis().version[0] >= 7 ? '-script|load' : '-script';
    await acl('-role', script);
    await redis().admins[0]?.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const { code, out } = await start();
    await redis().admins[0]?.config('SET', 'maxmemory-policy', 'noeviction');

    expect(code).toBe(1);
    for (const name of ['ROLE', 'SCRIPT LOAD']) expect(out).toContain(name);
    expect(out).toContain('maxmemory-policy is allkeys-lru');
  });

  it('nothing of that, with the shipped line: and leaves no key behind', async () => {
    const keys = await redis().admins[0]?.keys('*');
    expect(keys?.filter((key) => key.includes('probe'))).toEqual([]);
  });
}

describeOnRedis('6.2', 'a user of Redis 6.2', permissions, { appendOnly: true });
describeOnRedis('7', 'a user of Redis 7', permissions, { appendOnly: true });
