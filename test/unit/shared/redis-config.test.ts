import { describe, expect, it } from '@jest/globals';
import { isLoopback, parseEnv, redisConfig, redisVariables } from '@sallyport/shared/runtime';
import { z } from 'zod';

function configOf(env: Record<string, string>): ReturnType<typeof redisConfig> {
  return redisConfig(parseEnv(z.object(redisVariables), env).value);
}

describe('redisConfig', () => {
  it('is a local Redis where nothing is said', () => {
    expect(configOf({})).toEqual({
      config: { nodes: [{ host: '127.0.0.1', port: 6379 }], mode: 'standalone', database: 0 },
    });
  });

  it('reads a URL, decoded, before the single variables', () => {
    const env = { REDIS_URL: 'redis://us%40er:p%3Aw@[::1]:6380/2', REDIS_HOST: 'other' };
    expect(configOf(env)).toEqual({
      config: {
        nodes: [{ host: '::1', port: 6380 }],
        ...{ mode: 'standalone', database: 2, username: 'us@er', password: 'p:w' },
      },
    });
  });

  it('takes rediss as TLS', () => {
    expect(configOf({ REDIS_URL: 'rediss://redis.example' })).toMatchObject({
      config: { nodes: [{ host: 'redis.example', port: 6379 }], tls: {} },
    });
  });

  it('reads the nodes of a Cluster', () => {
    expect(configOf({ REDIS_CLUSTER_NODES: '127.0.0.1:7000, localhost:7001' })).toMatchObject({
      config: {
        mode: 'cluster',
        nodes: [
          { host: '127.0.0.1', port: 7000 },
          { host: 'localhost', port: 7001 },
        ],
      },
    });
  });

  it('reads the sentinels, the master’s name and who asks them', () => {
    const env = {
      REDIS_SENTINELS: '127.0.0.1:26379,localhost:26380',
      REDIS_SENTINEL_MASTER: 'sessions',
      REDIS_SENTINEL_USERNAME: 'asker',
      REDIS_SENTINEL_PASSWORD: 'secret',
      REDIS_USERNAME: 'extauthz',
    };
    expect(configOf(env)).toEqual({
      config: {
        mode: 'sentinel',
        nodes: [
          { host: '127.0.0.1', port: 26379 },
          { host: 'localhost', port: 26380 },
        ],
        sentinel: { master: 'sessions', username: 'asker', password: 'secret' },
        database: 0,
        username: 'extauthz',
      },
    });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'a master without sentinels',
      { REDIS_SENTINEL_MASTER: 'm' },
      /^REDIS_SENTINEL_MASTER: goes together/,
    ],
    [
      'sentinels without a master',
      { REDIS_SENTINELS: 'localhost:1' },
      /^REDIS_SENTINEL_MASTER: is required/,
    ],
    [
      'sentinels without a port',
      { REDIS_SENTINELS: 'localhost', REDIS_SENTINEL_MASTER: 'm' },
      /^REDIS_SENTINELS: must be/,
    ],
    [
      'sentinels beside a Cluster',
      {
        REDIS_SENTINELS: 'localhost:1',
        REDIS_SENTINEL_MASTER: 'm',
        REDIS_CLUSTER_NODES: 'localhost:2',
      },
      /^REDIS_SENTINELS: says another place than REDIS_CLUSTER_NODES/,
    ],
    [
      'plain text to a far sentinel',
      { REDIS_SENTINELS: 'far:1', REDIS_SENTINEL_MASTER: 'm' },
      /^REDIS_TLS: far/,
    ],
    [
      'plain text to another machine',
      { REDIS_HOST: 'redis.internal' },
      /^REDIS_TLS: redis\.internal/,
    ],
    [
      'plain text to a far Cluster node',
      { REDIS_CLUSTER_NODES: 'localhost:1,far:2' },
      /^REDIS_TLS: far/,
    ],
    ['a URL that is none', { REDIS_URL: 'secret-password@host' }, /^REDIS_URL: is not a URL/],
    ['another scheme', { REDIS_URL: 'http://localhost' }, /^REDIS_URL: is not a URL/],
    ['a path that is no index', { REDIS_URL: 'redis://localhost/abc' }, /^REDIS_URL: the path/],
    ['nodes without a port', { REDIS_CLUSTER_NODES: 'localhost' }, /^REDIS_CLUSTER_NODES: /],
    ['a CA that is not there', { REDIS_TLS: 'true', REDIS_CA_CERT: '/no/ca.pem' }, /ENOENT/],
    [
      'a certificate without its key',
      { REDIS_TLS: 'true', REDIS_CLIENT_CERT: '/no/c.pem' },
      /ENOENT/,
    ],
  ])('refuses %s', (_, env, problem) => {
    const result = configOf(env);
    expect('problems' in result ? result.problems[0] : '').toMatch(problem);
    expect(JSON.stringify(result)).not.toContain('secret-password');
  });

  it('speaks plain text to another machine when somebody has taken that on', () => {
    const env = { REDIS_HOST: 'redis.internal', REDIS_PLAINTEXT: 'acknowledged' };
    expect(configOf(env)).toHaveProperty('config');
  });
});

describe('isLoopback', () => {
  it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])('knows %s', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each([
    'localhost.example',
    '127.0.0.1.example',
    '128.0.0.1',
    '0.0.0.0',
    '10.0.0.1',
    '::2',
    '',
  ])('does not take %j for it', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});
