import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { startFakeRedis } from '../support/fake-redis.js';
import { gatewayBinary, sealKeys } from '../support/gateway.js';
import { runBinary as run } from '../support/run-binary.js';

const root = join(import.meta.dirname, '../..');
const extauthzBinary = join(root, 'extauthz/dist/main.js');

const folder = mkdtempSync(join(tmpdir(), 'sallyport-refusals-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'secret'), 'canary-of-the-provider-93-Zq7w');

const gateway = {
  PUBLIC_ORIGIN: 'https://app.acme.test',
  IDP_ISSUER_URI: 'https://login.acme.test/',
  IDP_CLIENT_ID: 'sallyport',
  IDP_CLIENT_SECRET: 'canary-of-the-provider-93-Zq7w',
  PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service',
  TOKEN_SEAL_KEYS: sealKeys,
  REDIS_PORT: '1',
  GATEWAY_REDIS_PATIENCE_MS: '100',
  GATEWAY_PORT: '0',
  GATEWAY_MANAGEMENT_PORT: '0',
};

const extauthz = {
  REDIS_PORT: '1',
  EXTAUTHZ_HTTP_PORT: '0',
  EXTAUTHZ_GRPC_PORT: '0',
  EXTAUTHZ_HEALTH_PORT: '0',
};

type Refusal = readonly [what: string, env: Record<string, string>, line: string];

/** Of TRUST §6; what else the gateway refuses stands in gateway-refusals.test.ts. */
const refusedByBoth: readonly Refusal[] = [
  [
    'certificates that nobody verifies',
    { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    'NODE_TLS_REJECT_UNAUTHORIZED: is 0',
  ],
  [
    'plain text to Redis that is not acknowledged by its word',
    { REDIS_HOST: 'redis.test', REDIS_PLAINTEXT: 'true' },
    'REDIS_PLAINTEXT: may only be "acknowledged"',
  ],
];
const refusedByGateway: readonly Refusal[] = [
  ...refusedByBoth,
  [
    'plain text to the permission service that is not acknowledged by its word',
    { PERMISSION_SERVICE_URL: 'http://permissions.test', PERMISSION_SERVICE_PLAINTEXT: 'yes' },
    'PERMISSION_SERVICE_PLAINTEXT: ',
  ],
];
const refusedByExtauthz: readonly Refusal[] = [
  ...refusedByBoth,
  ['Redis in plain text', { REDIS_HOST: 'redis.test' }, 'REDIS_TLS: redis.test is not'],
  ...['session:*', 's[a]:', 'a b:', 'gateway:', 'g'].map((prefix): Refusal => [
    `the key prefix ${prefix}`,
    { EXTAUTHZ_SESSION_KEY_PREFIX: prefix },
    'EXTAUTHZ_SESSION_KEY_PREFIX:',
  ]),
];
const acknowledged = {
  REDIS_HOST: 'redis.test',
  REDIS_PLAINTEXT: 'acknowledged',
  PERMISSION_SERVICE_URL: 'http://permissions.test',
  PERMISSION_SERVICE_PLAINTEXT: 'acknowledged',
};

describe.each([
  ['session-gateway', gatewayBinary, gateway, refusedByGateway],
  ['extauthz', extauthzBinary, extauthz, refusedByExtauthz],
])('%s', (_name, binary, good, refusals) => {
  it('takes plain text beyond loopback that is acknowledged', async () => {
    const answer = await run(binary, { ...good, ...acknowledged }, '--check-config');
    expect(answer).toEqual({ code: 0, out: expect.stringContaining('The configuration is good.') });
  });

  it.each(refusals)('refuses to start with %s', async (_what, env, line) => {
    const { code, out } = await run(binary, { ...good, ...env });
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining(line) });
    expect(out).not.toContain('Redis gave no answer');
  });
});

describe('LOG_FORMAT', () => {
  it.each([
    ['session-gateway', gatewayBinary, { ...gateway, SESSION_TYPO: '1' }],
    ['extauthz', extauthzBinary, { SESSION_TYPO: '1' }],
  ])('is obeyed by %s, and nothing but json and text is taken', async (name, binary, env) => {
    const json = await run(binary, env, '--check-config');
    const [line = ''] = json.out.split('\n').filter((one) => one.includes('SESSION_TYPO'));
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', name });
    const text = await run(binary, { ...env, LOG_FORMAT: 'text' }, '--check-config');
    expect(text.out).toMatch(new RegExp(`Z WARN {2}${name} SESSION_TYPO is not a setting`));
    const { code, out } = await run(binary, { ...env, LOG_FORMAT: 'pretty' }, '--check-config');
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining('LOG_FORMAT: must be') });
  });
});

describe('session-gateway refuses to start with', () => {
  it('a refresh that is due before the session can have been idle', async () => {
    const env = { ...gateway, EXTAUTHZ_SESSION_TTL_SECONDS: '300' };
    const { code, out } = await run(gatewayBinary, env);
    expect(code).toBe(1);
    expect(out).toContain('REFRESH_BEFORE_EXPIRY_SECONDS: is not shorter than');
    expect(out).not.toContain('Redis gave no answer');
  });

  it('names that occur twice in the file of registrations', async () => {
    const file = join(folder, 'registrations.json');
    writeFileSync(
      file,
      `{
  "registrations": [
    {
      "id": "acme",
      "issuer": "https://login.acme.test/",
      "clientId": "sallyport",
      "clientSecretFile": "secret",
      "is\\u0073uer": "https://login.evil.test/"
    }
  ]
}`,
    );
    const env = { ...gateway, IDP_REGISTRATIONS_FILE: file };
    const { code, out } = await run(gatewayBinary, env);
    expect(code).toBe(1);
    expect(out).toContain('IDP_REGISTRATIONS_FILE: line 8: issuer occurs twice in one object.');
  });

  it('a Redis older than 6.2', async () => {
    const redis = await startFakeRedis(
      'redis_version:6.0.16\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n',
    );
    const env = {
      ...gateway,
      REDIS_PORT: String(redis.port),
      GATEWAY_REDIS_PATIENCE_MS: '5000',
    };
    const { code, out } = await run(gatewayBinary, env);
    await redis.close();
    expect(code).toBe(1);
    expect(out).toContain('Redis 6.0.16 is too old. Use 6.2 or newer.');
  });
});
