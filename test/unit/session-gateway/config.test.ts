import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../session-gateway/src/config.js';

const sealKey = 'k1:q83vASNFZ4mrze8BI0VniavN7xI0VniQrze8EjRWeJA';
const good: Record<string, string> = {
  PUBLIC_ORIGIN: 'https://app.acme.test',
  IDP_ISSUER_URI: 'https://login.acme.test/',
  IDP_CLIENT_ID: 'sallyport',
  IDP_CLIENT_SECRET: 'a-long-secret-of-the-provider-93',
  PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service/',
  TOKEN_SEAL_KEYS: sealKey,
  GATEWAY_TRUSTED_PROXIES: '10.0.0.0/8',
};
const trial = {
  ...good,
  DEV_INSECURE: '1',
  PUBLIC_ORIGIN: 'http://localhost:8080',
  IDP_ISSUER_URI: 'http://127.0.0.1:9400',
};

function problemsWith(change: Record<string, string>, base = good): readonly string[] {
  try {
    loadConfig({ ...base, ...change });
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

describe('loadConfig', () => {
  it('does not wonder about a setting of extauthz, in an environment that both share', () => {
    const folder = join(import.meta.dirname, '../../../extauthz/src');
    const names = readdirSync(folder)
      .filter((file) => file.endsWith('.ts'))
      .flatMap(
        (file) => readFileSync(join(folder, file), 'utf8').match(/\bEXTAUTHZ_\w+(?=:)/g) ?? [],
      )
      .filter((name) => !name.startsWith('EXTAUTHZ_SESSION_'));
    expect(names).toContain('EXTAUTHZ_POLICY_FILE');
    const theirs = Object.fromEntries(names.map((name) => [name, '1']));
    expect(loadConfig({ ...good, ...theirs }).warnings).toEqual([]);
  });

  it.each(['', undefined])('warns that no proxy is listed (%j)', (proxies) => {
    const warningsOf = (env: Record<string, string>) =>
      loadConfig({ ...env, GATEWAY_TRUSTED_PROXIES: proxies }).warnings;
    expect(warningsOf(good)).toEqual([
      expect.stringMatching(/^GATEWAY_TRUSTED_PROXIES: is not set/),
    ]);
    expect(warningsOf(trial)).toEqual([]);
  });

  it('fills in the defaults', () => {
    const { config, warnings } = loadConfig(good);

    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      port: 8081,
      managementPort: 8091,
      publicOrigin: 'https://app.acme.test',
      permissionServiceUrl: 'http://127.0.0.1:8086/permission-service',
      lifetimes: { idleSeconds: 1800, absoluteSeconds: 43_200 },
      keyPrefix: 'extauthz:session:',
      keyForm: 'hashed',
      cookieName: '__Host-session',
      confirmCrossSiteLogin: true,
      loginRateLimit: 300,
      sessionLimit: 10,
      revocationAcks: 0,
      internalCallers: [],
      devInsecure: false,
      idps: [
        {
          id: 'idp',
          scopes: 'openid profile email offline_access',
          logoutReturnTo: 'https://app.acme.test/',
          callbackPath: '/login/oauth2/code/{idp}',
        },
      ],
    });
    expect(config.sealKeys.map(({ kid, key }) => [kid, key.length])).toEqual([['k1', 32]]);
  });

  it('takes the original’s names', () => {
    const { IDP_CLIENT_ID: id, IDP_CLIENT_SECRET: secret, IDP_ISSUER_URI: issuer, ...rest } = good;
    const { config } = loadConfig({
      ...rest,
      AUTH0_CLIENT_ID: id,
      AUTH0_CLIENT_SECRET: secret,
      AUTH0_ISSUER_URI: issuer,
      SPRING_DATA_REDIS_HOST: '::1',
      SPRING_DATA_REDIS_PORT: '6390',
      SESSION_TTL_SECONDS: '900',
      SESSION_KEY_PREFIX: 'session:',
    });

    expect(config).toMatchObject({
      idps: [{ clientId: id, clientSecret: secret, issuer }],
      redis: { nodes: [{ host: '::1', port: 6390 }] },
      lifetimes: { idleSeconds: 900 },
      keyPrefix: 'session:',
    });
  });

  it('takes http and sample values on loopback with DEV_INSECURE=1', () => {
    expect(problemsWith({}, trial)).toEqual([]);
    expect(problemsWith({ IDP_CLIENT_SECRET: 'secret' }, trial)).toEqual([]);
  });

  it.each([
    ['PUBLIC_ORIGIN', 'app.acme.test', /is not a URL/],
    ['PUBLIC_ORIGIN', 'https://app.acme.test/app', /must be an origin only/],
    ['PUBLIC_ORIGIN', 'https://App.acme.test', /must be an origin only/],
    ['PUBLIC_ORIGIN', 'https://user@app.acme.test', /must not carry a user/],
    ['PUBLIC_ORIGIN', 'http://localhost:8080', /DEV_INSECURE=1/],
    ['PUBLIC_ORIGIN', 'ftp://app.acme.test', /must start with https/],
    ['IDP_ISSUER_URI', 'https://placeholder.auth0.com/', /is a placeholder/],
    ['IDP_ISSUER_URI', 'https://idp.example.com/', /is a placeholder/],
    ['IDP_ISSUER_URI', 'https://login.acme.test/?x=1', /no query/],
    ['IDP_ISSUER_URI', 'http://login.acme.test/', /is http/],
    ['IDP_CLIENT_ID', 'placeholder-client-id', /is a placeholder/],
    ['IDP_CLIENT_ID', 'your-client-id', /is a placeholder/],
    ['IDP_CLIENT_SECRET', 'placeholder-client-secret', /is a placeholder/],
    ['IDP_CLIENT_SECRET', 'changeme', /is a placeholder/],
    ['IDP_CLIENT_SECRET', '<your secret>', /is a placeholder/],
    ['IDP_CLIENT_SECRET', '${CLIENT_SECRET}', /is a placeholder/],
    ['IDP_CLIENT_SECRET', sealKey.slice(3), /holds IDP_CLIENT_SECRET/],
    ['IDP_SCOPES', 'profile email', /openid among them/],
    ['IDP_SCOPES', 'profile  openid', /single spaces/],
    ['IDP_LOGOUT_RETURN_TO', 'http://app.acme.test/', /is http/],
    ['IDP_LOGOUT_URL_TEMPLATE', 'http://login.acme.test/v2/logout', /is http/],
    ['PERMISSION_SERVICE_URL', 'http://permissions:8086', /PLAINTEXT=acknowledged/],
    ['PERMISSION_SERVICE_URL', 'https://permissions/?x', /no query/],
    ['TOKEN_SEAL_KEYS', 'k1:short', /entry 1 is not/],
    ['TOKEN_SEAL_KEYS', `${sealKey},`, /entry 2 is not/],
    ['TOKEN_SEAL_KEYS', `${sealKey},${sealKey}`, /kid occurs twice/],
    ['TOKEN_SEAL_KEYS', `${sealKey},k2:${sealKey.slice(3)}`, /key occurs twice/],
    ['TOKEN_SEAL_KEYS', `k1:${'A'.repeat(43)}`, /not random/],
    [
      'TOKEN_SEAL_KEYS',
      `k1:${Buffer.from('0123456789abcdefGHIJKLMNOPQRSTUV').toString('base64url')}`,
      /not random/,
    ],
    [
      'TOKEN_SEAL_KEYS',
      `k1:${Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64url')}`,
      /not random/,
    ],
    ['EXTAUTHZ_SESSION_TTL_SECONDS', '43201', /is longer than/],
    ['EXTAUTHZ_SESSION_TTL_SECONDS', '0', /60 to 86400/],
    ['SESSION_ABSOLUTE_TTL_SECONDS', '90000', /60 to 86400/],
    ['EXTAUTHZ_SESSION_KEY_PREFIX', 'a*', /may hold only/],
    ['EXTAUTHZ_SESSION_KEY_PREFIX', 'gateway:x:', /overlaps/],
    ['SESSION_COOKIE_NAME', 'SESSION', /must be __Host-/],
    ['SESSION_COOKIE_NAME', '__Host-sref', /another cookie/],
    ['SESSION_KEY_FORM', 'plain', /hashed or raw/],
    ['SESSION_LIMIT_PER_USER', '-1', /0 to 1000/],
    ['INTERNAL_API_TOKENS', 'admin:short', /entry 1 is not name:token/],
    ['INTERNAL_API_TOKENS', `admin:${good['IDP_CLIENT_SECRET'] ?? ''}`, /holds IDP_CLIENT_SECRET/],
    [
      'INTERNAL_API_TOKENS',
      `admin:${sealKey.replace(/^.*:/, '')}`,
      /holds a key of TOKEN_SEAL_KEYS/,
    ],
    ['REDIS_REVOCATION_ACKS', 'some', /number of replicas/],
    ['GATEWAY_TRUSTED_PROXIES', 'envoy', /addresses or ranges/],
    ['GATEWAY_TRUSTED_PROXIES', '0.0.0.0/0', /trusts everybody/],
    ['GATEWAY_TRUSTED_PROXIES', '10.0.0.0/8,::/0', /trusts everybody/],
    ['GATEWAY_LOGIN_RATE_LIMIT', '-1', /whole number/],
    ['GATEWAY_CONFIRM_CROSS_SITE_LOGIN', 'maybe', /true or false/],
    ['IDP_CALLBACK_PATH', '/callback', /must be \/login\/oauth2\/code\/\{idp\}, /],
    ['REDIS_HOST', 'redis.acme.test', /plain text/],
    ['REFRESH_RETRY_AFTER', '5000', /not longer than IDP_TIMEOUT_MS/],
    ['REFRESH_BEFORE_EXPIRY_SECONDS', '0', /1 to 3600/],
    ['PERMISSION_MAX_STALE_SECONDS', '901', /1 to 900/],
  ])('refuses %s=%s', (name, value, reason) => {
    const problems = problemsWith({ [name]: value });

    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(reason);
  });

  it('takes a plaintext permission service that somebody answers for', () => {
    const change = {
      PERMISSION_SERVICE_URL: 'http://permissions:8086',
      PERMISSION_SERVICE_PLAINTEXT: 'acknowledged',
    };

    expect(problemsWith(change)).toEqual([]);
  });

  it.each([
    [{}, 15_000],
    [{ IDP_TIMEOUT_MS: '20000' }, 40_000],
    [{ REFRESH_RETRY_AFTER: '5001' }, 5001],
  ])('leaves a refresh token of %j that may be spent alone for %i ms', (change, retryAfter) => {
    expect(loadConfig({ ...good, ...change }).config.refresh).toEqual({
      leewaySeconds: 300,
      permFreshSeconds: 900,
      retryAfter,
    });
  });

  it('reports a wrong value beside a missing one', () => {
    expect(problemsWith({ SESSION_COOKIE_NAME: 'x', IDP_CLIENT_ID: '' })).toEqual([
      expect.stringMatching(/^IDP_CLIENT_ID: is not set/),
      expect.stringMatching(/^SESSION_COOKIE_NAME: must be/),
    ]);
  });

  it('refuses DEV_INSECURE in production', () => {
    expect(problemsWith({ NODE_ENV: 'production' }, trial)).toEqual([
      'DEV_INSECURE: is refused with NODE_ENV=production. Unset it.',
    ]);
  });
});
