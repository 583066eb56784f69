import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../session-gateway/src/config.js';

const secret = 'a-long-secret-of-the-provider-93';
const otherSecret = 'another-long-secret-of-a-provider';
const sealKey = 'k1:q83vASNFZ4mrze8BI0VniavN7xI0VniQrze8EjRWeJA';
const common: Record<string, string> = {
  PUBLIC_ORIGIN: 'https://app.acme.test',
  PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service/',
  TOKEN_SEAL_KEYS: sealKey,
};
const single: Record<string, string> = {
  ...common,
  IDP_ISSUER_URI: 'https://login.acme.test/',
  IDP_CLIENT_ID: 'sallyport',
};
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const rsaKey = pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
const shortKey = pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey);
const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-384' });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
  writeFileSync(join(folder, 'secret'), `${otherSecret}\n`);
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'sample'), 'changeme');
  writeFileSync(join(folder, 'rsa.pem'), rsaKey);
  writeFileSync(join(folder, 'short.pem'), shortKey);
  writeFileSync(
    join(folder, 'public.pem'),
    ecKey.publicKey.export({ type: 'spki', format: 'pem' }),
  );
  writeFileSync(
    join(folder, 'ec.jwk'),
    JSON.stringify({ ...ecKey.privateKey.export({ format: 'jwk' }), kid: 'ours' }),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(file: unknown, env: Record<string, string> = common) {
  const path = join(folder, 'registrations.json');
  writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file, undefined, 2));
  return loadConfig({ ...env, IDP_REGISTRATIONS_FILE: path }).config;
}

function problemsOf(act: () => unknown): readonly string[] {
  try {
    act();
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

const plain = {
  id: 'acme',
  issuer: 'https://login.acme.test/',
  clientId: 'sallyport',
  clientSecretFile: 'secret',
};

describe('IDP_REGISTRATIONS_FILE', () => {
  it('makes one registration per entry, with the variables for what they leave out', () => {
    const config = load(
      {
        default: 'keys',
        registrations: [
          plain,
          {
            id: 'keys',
            issuer: 'https://keys.acme.test/tenant',
            clientId: 'sallyport',
            clientAuthentication: 'private_key_jwt',
            privateKeyFile: join(folder, 'ec.jwk'),
            scopes: 'openid',
            maxAgeSeconds: 3600,
            audience: 'https://api.acme.test',
            callbackPath: '/auth/callback',
            par: true,
            jar: true,
            dpop: true,
            idTokenAlgorithm: 'ES256',
            logoutTokenStrict: true,
          },
        ],
      },
      { ...common, IDP_SCOPES: 'openid email', IDP_TIMEOUT_MS: '4000' },
    );
    expect(config.defaultIdp).toBe('keys');
    expect(config.idps).toEqual([
      {
        id: 'acme',
        issuer: 'https://login.acme.test/',
        clientId: 'sallyport',
        clientSecret: otherSecret,
        scopes: 'openid email',
        par: false,
        jar: false,
        dpop: false,
        callbackPath: '/login/oauth2/code/{idp}',
        logoutReturnTo: 'https://app.acme.test/',
        strictLogoutTokens: false,
        revokeTokens: 'logout',
        timeout: 4000,
        userInfoOnRefresh: false,
      },
      expect.objectContaining({
        id: 'keys',
        clientAuthentication: 'private_key_jwt',
        scopes: 'openid',
        maxAge: 3600,
        audience: 'https://api.acme.test',
        callbackPath: '/auth/callback',
        par: true,
        jar: true,
        dpop: true,
        idTokenAlgorithm: 'ES256',
        strictLogoutTokens: true,
      }),
    ]);
    expect(config.idps[1]?.signingKey).toMatchObject({ algorithm: 'ES384', keyId: 'ours' });
    expect(config.idps[1]).not.toHaveProperty('clientSecret');
  });

  it('stands beside the one of the variables, which is then the default', () => {
    const config = load(
      { registrations: [plain] },
      { ...single, IDP_CLIENT_ID: 'x', IDP_CLIENT_SECRET: secret },
    );
    expect(config.idps.map(({ id }) => id)).toEqual(['idp', 'acme']);
    expect(config.defaultIdp).toBe('idp');
    expect(load({ registrations: [plain] }).defaultIdp).toBe('acme');
  });

  it('names every mistake of the file with its place', () => {
    const problems = problemsOf(() =>
      load({
        registrations: [
          { ...plain, id: 'Acme!', issuer: 'http://login.acme.test', clientSecret: 'x' },
          { id: 'two', clientId: 'your-client-id', par: 'yes', maxAgeSeconds: 1.5 },
          { ...plain, clientAuthentication: 'basic', scopes: 'email', idTokenAlgorithm: 'none' },
        ],
        defaults: {},
      }),
    );
    const place = (rest: string) => expect.stringContaining(`IDP_REGISTRATIONS_FILE: ${rest}`);
    expect(problems).toEqual([
      place('registrations[0].id: must be 1 to 32 lower-case'),
      place('registrations[0].issuer: is http'),
      place('registrations[0]: has a field clientSecret that is not known. Secrets stand in files'),
      place('registrations[1].issuer: Give the issuer'),
      place('registrations[1].clientId: is a placeholder'),
      place('registrations[1].maxAgeSeconds: must be a whole number'),
      place('registrations[1].par: must be true or false'),
      place('registrations[2].clientAuthentication: must be client_secret_basic,'),
      place('registrations[2].idTokenAlgorithm: must be one of'),
      place('registrations[2].scopes: must be scopes'),
      place('has a field defaults that is not known'),
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', '', /the file is empty/],
    ['no JSON', '{\n  "registrations": [\n    {,\n', /line 3: is not JSON/],
    ['an end too early', '{\n  "registrations": [', /line 2: is not JSON/],
    ['a list', [], /must be an object/],
    ['no registration', { registrations: [] }, /at least one/],
    ['an unknown default', { default: 'b', registrations: [plain] }, /default: is the id of no/],
    ['one id twice', { registrations: [plain, { ...plain, clientId: 'b' }] }, /the id acme occurs/],
    [
      'one client twice',
      { registrations: [plain, { ...plain, id: 'b' }] },
      /b has issuer and clientId/,
    ],
    ['no secret', one({ clientSecretFile: undefined }), /clientSecretFile \(acme\): is not set/],
    ['a secret that is not there', one({ clientSecretFile: 'nowhere' }), /\(ENOENT\)/],
    ['an empty secret', one({ clientSecretFile: 'empty' }), /the file is empty/],
    ['a sample secret', one({ clientSecretFile: 'sample' }), /is a placeholder/],
    ['a secret and none', one({ clientAuthentication: 'none' }), /nobody needs it/],
    [
      'a secret and a key',
      one({ clientAuthentication: 'private_key_jwt', privateKeyFile: 'rsa.pem' }),
      /clientSecretFile \(acme\): is set, and .* nobody needs it/,
    ],
    [
      'private_key_jwt without a key',
      keyed({ privateKeyFile: undefined }),
      /private_key_jwt needs it/,
    ],
    ['JAR without a key', one({ jar: true }), /jar \(acme\) signs with it/],
    ['a key for nothing', one({ privateKeyFile: 'rsa.pem' }), /nothing is signed with it/],
    ['a short key', keyed({ privateKeyFile: 'short.pem' }), /1024 bits. Use 2048/],
    ['a public key', keyed({ privateKeyFile: 'public.pem' }), /is not a private key/],
    ['a secret as key', keyed({ privateKeyFile: 'secret' }), /is not a private key/],
    [
      'a key that does not fit',
      keyed({ privateKeyFile: 'ec.jwk', privateKeyAlgorithm: 'RS256' }),
      /does not fit the algorithm RS256. It can do ES384/,
    ],
    ['a short shared key', one({ idTokenAlgorithm: 'HS512' }), /64 bytes or more/],
    ['a shared key of nobody', keyed({ idTokenAlgorithm: 'HS256' }), /32 bytes or more/],
  ])('is refused with %s', (_what, file, reason) => {
    const problems = problemsOf(() => load(file));
    expect(problems).toEqual([expect.stringMatching(reason)]);
    expect(problems.join()).not.toMatch(/another-long|changeme|BEGIN/);
  });

  it('takes HS256 where it is registered and the secret is long enough', () => {
    expect(load(one({ idTokenAlgorithm: 'HS256' })).idps[0]?.idTokenAlgorithm).toBe('HS256');
  });

  it('is refused where a secret is a key of ours too', () => {
    const env = { ...common, INTERNAL_API_TOKENS: `admin:${otherSecret}` };
    expect(problemsOf(() => load({ registrations: [plain] }, env))).toEqual([
      'INTERNAL_API_TOKENS: holds the secret of acme. Every secret must be its own.',
    ]);
  });

  it('is refused where variables make half a registration beside it', () => {
    const env = { ...common, IDP_CLIENT_ID: 'sallyport', IDP_CLIENT_SECRET: secret };
    expect(problemsOf(() => load({ registrations: [plain] }, env))).toEqual([
      expect.stringMatching(/^IDP_CLIENT_ID: makes no registration without both/),
      expect.stringMatching(/^IDP_CLIENT_SECRET: makes no registration without both/),
    ]);
  });
});

describe('the one registration of the variables', () => {
  it.each<[Record<string, string>, RegExp]>([
    [{ IDP_CLIENT_AUTHENTICATION: 'none', IDP_CLIENT_SECRET: secret }, /nobody needs it/],
    [{ IDP_CLIENT_AUTHENTICATION: 'private_key_jwt' }, /^IDP_PRIVATE_KEY: is not set/],
    [{ IDP_CLIENT_AUTHENTICATION: 'tls' }, /^IDP_CLIENT_AUTHENTICATION: must be/],
    [{ IDP_CLIENT_SECRET: secret, IDP_JAR: 'true' }, /IDP_JAR signs with it/],
    [{ IDP_CLIENT_SECRET: secret, IDP_PRIVATE_KEY: rsaKey }, /nothing is signed/],
    [{ IDP_CLIENT_SECRET: secret, IDP_PAR: 'on' }, /^IDP_PAR: must be true or false/],
    [{ IDP_CLIENT_SECRET: secret, IDP_MAX_AGE_SECONDS: '-1' }, /^IDP_MAX_AGE_SECONDS: must be/],
    [{ IDP_CLIENT_SECRET: secret, IDP_ID_TOKEN_ALGORITHM: 'none' }, /^IDP_ID_TOKEN_ALGORITHM/],
    [
      { IDP_CLIENT_SECRET: secret, IDP_METADATA_REFRESH_SECONDS: '0' },
      /^IDP_METADATA_REFRESH_SECONDS: must be/,
    ],
  ])('refuses %j', (change, reason) => {
    expect(problemsOf(() => loadConfig({ ...single, ...change }))).toEqual([
      expect.stringMatching(reason),
    ]);
  });

  it('needs no secret as a public client, or with a key', () => {
    const { config } = loadConfig({ ...single, IDP_CLIENT_AUTHENTICATION: 'none', IDP_DPOP: '1' });
    expect(config.idps).toMatchObject([{ clientAuthentication: 'none', dpop: true }]);
    const keyed = loadConfig({
      ...single,
      IDP_CLIENT_AUTHENTICATION: 'private_key_jwt',
      IDP_PRIVATE_KEY_FILE: join(folder, 'rsa.pem'),
      IDP_PRIVATE_KEY_ID: 'k7',
      IDP_PRIVATE_KEY_ALGORITHM: 'PS384',
    });
    expect(keyed.config.idps[0]?.signingKey).toMatchObject({ keyId: 'k7', algorithm: 'PS384' });
  });
});

function one(change: Record<string, unknown>) {
  return { registrations: [{ ...plain, ...change }] };
}

function keyed(change: Record<string, unknown>) {
  const rest = { ...plain, clientSecretFile: undefined };
  const base = { ...rest, clientAuthentication: 'private_key_jwt', privateKeyFile: 'rsa.pem' };
  return { registrations: [{ ...base, ...change }] };
}
