import { describe, expect, it } from '@jest/globals';
import type { ConfigError } from '@sallyport/shared/runtime';
import { loadConfig } from '../../../extauthz/src/config.js';

const configOf = (env: Record<string, string> = {}) => loadConfig(env).config;
const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
};

describe('loadConfig of extauthz', () => {
  it('needs nothing: these are the defaults that README names', () => {
    expect(configOf()).toMatchObject({
      httpPort: 9002,
      grpcPort: 9001,
      healthPort: 8090,
      grpcReflection: false,
      cookieName: '__Host-session',
      keyPrefix: 'extauthz:session:',
      keyForm: 'hashed',
      redisDeadline: 150,
      maxConcurrentChecks: 1024,
      checkDeadline: 250,
      tlsReload: 5000,
      logAllows: 0,
      cacheEntries: 100_000,
      idleSeconds: 1800,
      drainWait: 5000,
      drainDeadline: 20_000,
      logLevel: 'info',
    });
    expect(configOf()).not.toHaveProperty('tls');
  });

  it.each([
    [{ HTTP_PORT: '1234' }, { httpPort: 1234 }],
    [{ HEALTH_PORT: '1234' }, { healthPort: 1234 }],
    [{ SESSION_KEY_PREFIX: 'other:' }, { keyPrefix: 'other:' }],
    [{ SESSION_TTL_SECONDS: '600' }, { idleSeconds: 600 }],
    [{ REDIS_ADDR: '127.0.0.1:7001' }, { redis: { nodes: [{ host: '127.0.0.1', port: 7001 }] } }],
    [
      { REDIS_ADDR: '127.0.0.2:7001', REDIS_PORT: '7002' },
      { redis: { nodes: [{ host: '127.0.0.2', port: 7002 }] } },
    ],
    [{ REDIS_EXT_AUTHZ_PASSWORD: 'secret' }, { redis: { password: 'secret' } }],
  ])('knows the names of others: %j', (env, expected) => {
    expect(configOf(env)).toMatchObject(expected);
  });

  it('refuses two names for one thing that say different things', () => {
    const problems = problemsOf({ HTTP_PORT: '1234', EXTAUTHZ_HTTP_PORT: '4321' });
    expect(problems.join()).toMatch(/HTTP_PORT.*EXTAUTHZ_HTTP_PORT|EXTAUTHZ_HTTP_PORT.*HTTP_PORT/);
  });

  it('says everything that is wrong at once, with the variable and what to do', () => {
    const wrong = {
      EXTAUTHZ_HTTP_PORT: 'http',
      EXTAUTHZ_CHECK_DEADLINE_MS: '1',
      SESSION_KEY_FORM: 'plain',
      LOG_LEVEL: 'loud',
      SESSION_CACHE_MAX_ENTRIES: '-1',
    };
    const problems = problemsOf(wrong);
    for (const name of Object.keys(wrong)) {
      expect(problems.filter((problem) => problem.startsWith(`${name}:`))).toHaveLength(1);
    }
    const later = {
      EXTAUTHZ_SESSION_KEY_PREFIX: 'a,b',
      SESSION_COOKIE_NAME: 'a b',
      PUBLIC_ORIGIN: 'x',
      EXTAUTHZ_TLS_CERT: '/cert',
    };
    for (const name of Object.keys(later)) {
      expect(problemsOf(later).some((problem) => problem.startsWith(`${name}:`))).toBe(true);
    }
  });

  it('takes TLS as a whole or not at all, with paths as others write them', () => {
    const pair = { EXTAUTHZ_TLS_CERT: 'file:///c', EXTAUTHZ_TLS_KEY: 'file:/k' };
    expect(configOf(pair).tls).toEqual({ cert: '/c', key: '/k' });
    expect(configOf({ ...pair, EXTAUTHZ_TLS_CLIENT_CA: '/ca' }).tls?.clientCa).toBe('/ca');
    expect(problemsOf({ EXTAUTHZ_TLS_KEY: '/k' }).join()).toContain('Set both or neither');
    expect(problemsOf({ EXTAUTHZ_TLS_CLIENT_CA: '/ca' }).join()).toContain(
      'EXTAUTHZ_TLS_CLIENT_CA',
    );
  });

  it('warns of a name that it does not know', () => {
    expect(loadConfig({ EXTAUTHZ_HTPP_PORT: '1' }).warnings.join()).toContain('EXTAUTHZ_HTPP_PORT');
  });
});
