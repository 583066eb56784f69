import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@sallyport/demo/free-port';
import { gatewayBinary, gatewayEnv, sealKeys } from '../support/gateway.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';

interface Run {
  readonly code: number | null;
  readonly out: string;
}

/** The built binary with this environment and no other, until it ends. */
function run(env: Record<string, string>, ...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [gatewayBinary, ...args], { env });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.once('close', (code) => resolve({ code, out }));
  });
}

const secret = 'a-long-secret-of-the-provider-93';
const good = {
  PUBLIC_ORIGIN: 'https://app.acme.test',
  IDP_ISSUER_URI: 'https://login.acme.test/',
  IDP_CLIENT_ID: 'sallyport',
  IDP_CLIENT_SECRET: secret,
  PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service',
  TOKEN_SEAL_KEYS: sealKeys,
};

describe('node session-gateway/dist/main.js --check-config', () => {
  it('says that a good configuration is good, without starting', async () => {
    // Unset it is warned of, where the origin is not on this machine.
    const quiet = { ...good, GATEWAY_TRUSTED_PROXIES: '10.0.0.0/8' };
    expect(await run(quiet, '--check-config')).toEqual({
      code: 0,
      out: 'The configuration is good.\n',
    });
  });

  it('reads secrets from files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
    try {
      writeFileSync(join(folder, 'secret'), `${secret}\n`);
      writeFileSync(join(folder, 'keys'), sealKeys);
      const answer = await run(
        {
          ...good,
          // Empty counts as not given.
          IDP_CLIENT_SECRET: '',
          TOKEN_SEAL_KEYS: '',
          IDP_CLIENT_SECRET_FILE: join(folder, 'secret'),
          TOKEN_SEAL_KEYS_FILE: join(folder, 'keys'),
        },
        '--check-config',
      );

      expect(answer.code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names everything that is missing at once', async () => {
    const { code, out } = await run({}, '--check-config');

    expect(code).toBe(1);
    for (const name of Object.keys(good)) expect(out).toContain(`  ${name}: is not set.`);
  });

  it('names every wrong value with its reason, and repeats no secret', async () => {
    const shortKey = 'c2hvcnQta2V5LXRoYXQtbXVzdC1ub3QtYmUtcHJpbnRlZA';
    const { code, out } = await run(
      {
        ...good,
        PUBLIC_ORIGIN: 'http://app.acme.test',
        IDP_ISSUER_URI: 'https://login.acme.test/.well-known/openid-configuration',
        IDP_CLIENT_ID: 'placeholder-client-id',
        IDP_CLIENT_SECRET: 'changeme-please-changeme-please',
        PERMISSION_SERVICE_URL: 'http://permission-service:8086',
        TOKEN_SEAL_KEYS: `k1:${shortKey}`,
        SESSION_COOKIE_NAME: 'SESSION',
        EXTAUTHZ_SESSION_KEY_PREFIX: 'gateway:',
        EXTAUTHZ_SESSION_TTL_SECONDS: '1e3',
        SESSION_ABSOLUTE_TTL_SECONDS: '86401',
        GATEWAY_PORT: '99999',
        REDIS_PASSWORD: 'canary-password',
      },
      '--check-config',
    );

    expect(code).toBe(1);
    expect(out.split('\n').filter((line) => line.startsWith('  '))).toEqual([
      expect.stringMatching(/^ {2}GATEWAY_PORT: must be a port/),
      expect.stringMatching(/^ {2}PUBLIC_ORIGIN: is http\. Use https/),
      expect.stringMatching(/^ {2}IDP_ISSUER_URI: is a discovery URL/),
      expect.stringMatching(/^ {2}IDP_CLIENT_ID: is a placeholder/),
      expect.stringMatching(/^ {2}IDP_CLIENT_SECRET: is a placeholder/),
      expect.stringMatching(/^ {2}PERMISSION_SERVICE_URL: would be spoken to in plain text/),
      expect.stringMatching(/^ {2}TOKEN_SEAL_KEYS: entry 1 is not/),
      expect.stringMatching(/^ {2}EXTAUTHZ_SESSION_TTL_SECONDS: must be a whole number/),
      expect.stringMatching(/^ {2}SESSION_ABSOLUTE_TTL_SECONDS: must be a whole number/),
      expect.stringMatching(/^ {2}EXTAUTHZ_SESSION_KEY_PREFIX: overlaps/),
      expect.stringMatching(/^ {2}SESSION_COOKIE_NAME: must be __Host-/),
    ]);
    for (const word of ['changeme-please', shortKey, 'canary-password']) {
      expect(out).not.toContain(word);
    }
  });

  it('warns in capitals about DEV_INSECURE=1, and refuses it in production', async () => {
    const trial = gatewayEnv(
      'http://localhost:8080',
      'http://127.0.0.1:9400',
      'http://127.0.0.1:1',
    );
    const accepted = await run(trial, '--check-config');
    const refused = await run({ ...trial, NODE_ENV: 'production' }, '--check-config');

    expect(accepted.code).toBe(0);
    expect(accepted.out).toContain('*** DEV_INSECURE=1');
    expect(refused.code).toBe(1);
    expect(refused.out).toContain('DEV_INSECURE: is refused with NODE_ENV=production');
  });

  it('warns about a name that is probably a typing mistake', async () => {
    const { code, out } = await run({ ...good, IDP_CLIENT_SCOPES: 'openid' }, '--check-config');

    expect(code).toBe(0);
    expect(out).toContain('IDP_CLIENT_SCOPES is not a setting of this service');
  });
});

describe('node session-gateway/dist/main.js', () => {
  it('gives up with the reason when there is no Redis', async () => {
    const port = await freePort();
    const { code, out } = await run({
      ...good,
      GATEWAY_PORT: '0',
      GATEWAY_MANAGEMENT_PORT: '0',
      GATEWAY_REDIS_PATIENCE_MS: '300',
      REDIS_URL: `redis://user:canary-password@127.0.0.1:${String(port)}`,
    });

    expect(code).toBe(1);
    expect(out).toContain('Redis gave no answer for 0.3 s');
    expect(out).not.toContain('canary-password');
  });
});

/** Starts against this Redis until it gives up. */
async function startOn(redis: TestRedis): Promise<Run> {
  return run({
    ...good,
    GATEWAY_PORT: '0',
    GATEWAY_MANAGEMENT_PORT: '0',
    REDIS_URL: redis.servers[0]?.url(users.writer) ?? '',
  });
}

describeOnRedis('6.2', 'a Redis that would lose sessions', (redis) => {
  beforeAll(async () => {
    await redis().admins[0]?.config('SET', 'maxmemory-policy', 'allkeys-lru');
  });

  it('is refused, with everything that is wrong with it', async () => {
    const { code, out } = await startOn(redis());

    expect(code).toBe(1);
    expect(out).toContain('maxmemory-policy is allkeys-lru');
    expect(out).toContain('appendonly is off');
  });
});

describeOnRedis(
  '6.2',
  'a Redis that is a replica',
  (redis) => {
    beforeAll(async () => {
      await redis().admins[0]?.replicaof('127.0.0.1', await freePort());
    });

    it('is refused', async () => {
      const { code, out } = await startOn(redis());

      expect(code).toBe(1);
      expect(out).toContain('The Redis server is a slave');
    });
  },
  { appendOnly: true },
);
