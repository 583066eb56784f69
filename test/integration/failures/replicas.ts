import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEnvoy, type Mode } from '@sallyport/demo/envoy-process';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { freePorts, type Ports } from '@sallyport/demo/ports';
import { startRedis } from '@sallyport/demo/redis-process';
import { newSessionId, type SessionId } from '@sallyport/shared';
import { Redis } from 'ioredis';
import { redisWithoutUsers, startExtauthz, type ExtauthzProcess } from '../../support/extauthz.js';
import { keyOf, writeSession } from '../../support/failure-rig.js';
import { checksPerPhase, startLoad, type Load, type LoadResult } from '../../support/load.js';
import { until } from '../../support/until.js';

/** Two extauthz behind the shipped Envoy configuration, under load: the suite of both modes. */
export function replicasSuite(mode: Mode): void {
  describe(`two replicas behind Envoy over ${mode}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-replicas-'));
    const ends: (() => unknown)[] = [];
    const replicas: ExtauthzProcess[] = [];
    const revoked: SessionId[] = [];
    const live: { id: SessionId; userId: string }[] = [];
    let ports: Ports;
    let admin: Redis;

    beforeAll(async () => {
      const redis = await startRedis({ directory: join(directory, 'redis'), appendOnly: true });
      ends.push(() => redis.kill());
      admin = new Redis(redis.port);
      ends.push(() => admin.disconnect());
      const env = {
        REDIS_PORT: String(redis.port),
        ...redisWithoutUsers,
        EXTAUTHZ_DRAIN_WAIT_MS: '2000',
      };
      for (let index = 0; index < 2; index += 1) {
        const replica = await startExtauthz({ directory, env });
        replicas.push(replica);
        ends.push(() => replica.child.kill());
      }
      ports = await freePorts();
      // Kept for longer than Envoy keeps it: what this end closed would be a lost check.
      const api = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
        response.end(request.headers['x-user-id'] ?? 'nobody');
      });
      await new Promise<void>((resolve) => api.listen(ports.api, '127.0.0.1', resolve));
      ends.push(() => {
        api.closeAllConnections();
        return new Promise((resolve) => api.close(resolve));
      });
      const [first, ...more] = replicas.map((replica) => ({
        extauthzHttp: replica.httpPort,
        extauthzGrpc: replica.grpcPort,
        extauthzHealth: replica.healthPort,
      }));
      const envoy = await startEnvoy({
        binary: (await findEnvoy()).path,
        mode,
        ports: { ...ports, ...first },
        moreExtauthz: more,
        directory,
        logFile: join(directory, 'envoy.log'),
        env: {},
        onDeath: () => undefined,
        signal: new AbortController().signal,
      });
      ends.push(() => envoy.kill());
      for (let index = 0; index < 20; index += 1) {
        const userId = `user-${String(index)}`;
        live.push({ id: await writeSession(admin, { userId }), userId });
        revoked.push(await writeSession(admin));
      }
      await healthy(2);
    }, 120_000);
    afterAll(async () => {
      for (const end of ends.reverse()) await end();
      rmSync(directory, { recursive: true, force: true });
    });

    /** How many replicas Envoy would ask. */
    const healthy = async (count: number): Promise<void> => {
      const url = `http://127.0.0.1:${String(ports.envoyAdmin)}/clusters`;
      await until(async () => {
        const text = await (await fetch(url)).text();
        const lines = text.match(/^extauthz::127\.0\.0\.1:\d+::health_flags::healthy$/gm);
        return (lines?.length ?? 0) === count;
      });
    };

    const cookie = (id: SessionId): readonly string[] => ['cookie', `__Host-session=${id}`];
    const load = (): Load => {
      let turn = 0;
      return startLoad({
        port: ports.ingress,
        path: '/api/me',
        kinds: [
          ...live.map(({ id, userId }) => ({
            name: 'live',
            weight: 1,
            headers: () => cookie(id),
            isRight: (status: number, body: string) => status === 200 && body === userId,
          })),
          {
            name: 'revoked',
            weight: 5,
            headers: () => cookie(revoked[turn++ % revoked.length] ?? newSessionId()),
            isRight: (status) => status === 401,
          },
          {
            name: 'unknown',
            weight: 5,
            headers: () => cookie(newSessionId()),
            isRight: (status) => status === 401,
          },
        ],
      });
    };
    const passed = (running: Load, checks: number): Promise<void> => {
      const target = running.sent() + checks;
      return until(() => running.sent() >= target);
    };
    const judge = ({ wrong, counts, total }: LoadResult): void => {
      expect(wrong).toEqual([]);
      // A run of refusals proves nothing (ATTACKS 40).
      expect(counts['live 200'] ?? 0).toBeGreaterThan(total / 2);
    };
    /** A number, and what Envoy says of them: a failing test that says the number alone helps nobody. */
    const lostWhy = async ({ lost }: LoadResult, since: number): Promise<readonly string[]> => {
      if (lost === 0) return [];
      const refused = (): string[] =>
        envoyLog()
          .slice(since)
          .split('\n')
          .filter((line) => line.includes('"status":503'));
      // Envoy writes its log now and then; of a broken connection it writes nothing.
      await until(() => refused().length >= lost, 5_000).catch(() => undefined);
      return [`lost: ${String(lost)}`, ...refused()];
    };
    const envoyLog = (): string => readFileSync(join(directory, 'envoy.log'), 'utf8');
    const report = (what: string, result: LoadResult): void => {
      if (process.env['FAILURES_REPORT'] === undefined) return;
      process.stderr.write(`${mode} ${what}: ${JSON.stringify(result)}\n`);
    };

    it('denies what was revoked and allows the rest', async () => {
      await admin.del(...revoked.map(keyOf));
      const since = envoyLog().length;
      const running = load();
      await passed(running, checksPerPhase);
      const result = await running.stop();
      report('steady', result);
      judge(result);
      expect(await lostWhy(result, since)).toEqual([]);
    });

    it('goes on with the other one when one is killed: nothing but a 503 is lost, and no allow is wrong', async () => {
      const running = load();
      await passed(running, checksPerPhase);
      await replicas[0]?.child.kill();
      await passed(running, checksPerPhase);
      await healthy(1);
      await passed(running, checksPerPhase);
      const result = await running.stop();
      report('kill', result);
      judge(result);

      const since = envoyLog().length;
      const after = load();
      await passed(after, checksPerPhase);
      const without = await after.stop();
      judge(without);
      expect(await lostWhy(without, since)).toEqual([]);
      await replicas[0]?.child.restart();
      await healthy(2);
    });

    it('loses no check when both are restarted in turn', async () => {
      const since = envoyLog().length;
      const running = load();
      for (const { child } of replicas) {
        await passed(running, checksPerPhase);
        await child.restart();
        await healthy(2);
      }
      await passed(running, checksPerPhase);
      const result = await running.stop();
      report('rolling', result);
      judge(result);
      expect(await lostWhy(result, since)).toEqual([]);
    }, 120_000);
  });
}
