import { describe, expect, it } from '@jest/globals';
import { judge } from '../../../session-gateway/src/redis-fitness.js';

const info = (change: Record<string, string> = {}): string =>
  Object.entries({
    redis_version: '7.2.11',
    role: 'master',
    maxmemory_policy: 'noeviction',
    aof_enabled: '1',
    ...change,
  })
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');

describe('judge', () => {
  it.each(['6.2.20', '7.2.11', '7.4.6', '8.0.4', '8.2.2', '8.4.0', '9.0.0'])(
    'takes Redis %s',
    (version) => {
      expect(judge(info({ redis_version: version }))).toEqual({ problems: [], warnings: [] });
    },
  );

  it.each(['6.2.5', '6.2.19', '7.0.15', '7.2.10', '8.0.3', '8.2.1'])(
    'reg-51: warns about Redis %s',
    (version) => {
      const { problems, warnings } = judge(info({ redis_version: version }));

      expect(problems).toEqual([]);
      expect(warnings).toEqual([expect.stringContaining(`Redis ${version} may lack`)]);
    },
  );

  it.each([
    [{ redis_version: '6.0.16' }, /too old/],
    [{ redis_version: '5.0.14' }, /too old/],
    [{ role: 'slave' }, /is a slave/],
    [{ maxmemory_policy: 'allkeys-lru' }, /maxmemory-policy is allkeys-lru/],
    [{ aof_enabled: '0' }, /appendonly is off/],
  ])('reg-51: refuses %j', (change, reason) => {
    expect(judge(info(change)).problems).toEqual([expect.stringMatching(reason)]);
  });

  it('names everything at once, also of a server that tells nothing', () => {
    expect(judge('').problems).toHaveLength(4);
  });
});
