import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { redisWithoutUsers, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-rights-untold-'));
afterAll(() => rmSync(folder, { recursive: true }));

const asked = 'redis: asked by an HSET whether this account may write sessions, it answered';
const count = ({ log }: ExtauthzProcess, text: string): number => log().split(text).length - 1;

async function readiness({ healthPort }: ExtauthzProcess): Promise<string> {
  return (await fetch(`http://127.0.0.1:${String(healthPort)}/readyz`)).text();
}

describeOnRedis(
  '6.2',
  'the Redis account of extauthz where HSET is switched off',
  (redis) => {
    it('is taken for one that may not write, and what Redis answered is said', async () => {
      const env = redis().env(users.admin);
      const service = await startExtauthz({ directory: folder, env });
      expect(count(service, asked)).toBe(1);
      expect(service.log()).toContain('ERR unknown command');
      expect(service.log()).toContain('taken for one that may not');
      await service.child.kill();
    });
  },
  { extraConfig: ['rename-command HSET ""'] },
);

describeOnRedis(
  '6.2',
  'the Redis account of extauthz where the answer to an HSET tells nothing',
  (redis) => {
    it('makes no replica ready, refuses no start, and is told of once', async () => {
      const env = redis().env(users.admin);
      const service = await startExtauthz({ directory: folder, env, ready: false });
      await until(async () => (await readiness(service)) === 'unhealthy: redis account\n');
      const [admin] = redis().admins;
      const probes = async (): Promise<number> =>
        Number(/cmdstat_set:calls=([0-9]+)/.exec((await admin?.info('commandstats')) ?? '')?.[1]);
      const before = await probes();
      await until(async () => (await probes()) > before + 1);
      expect(count(service, asked)).toBe(1);
      expect(service.log()).toContain('ERR syntax error');
      expect(service.log()).toContain('EXTAUTHZ_REDIS_WRITE_RIGHTS=acknowledged');
      expect(await readiness(service)).toBe('unhealthy: redis account\n');
      await service.child.kill();
    });

    it('keeps none from being ready where that is acknowledged', async () => {
      const env = { ...redis().env(users.admin), ...redisWithoutUsers };
      const service = await startExtauthz({ directory: folder, env });
      expect(count(service, asked)).toBe(1);
      expect(service.log()).toContain('nobody asks again');
      await service.child.kill();
    });
  },
  // What is called HSET there is SET: it cannot read the words of ours.
  { extraConfig: ['rename-command HSET HSET-OF-OTHERS', 'rename-command SET HSET'] },
);
