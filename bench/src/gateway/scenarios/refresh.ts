import { pairedRatio } from '../../goals.js';
import { benchRedis } from '../../parts/redis.js';
import { measure } from '../../rounds.js';
import type { Scenario } from '../../scenario.js';
import { startPeers } from '../load/peers-process.js';
import type { RedisAccess } from '../load/work.js';
import { gatewayApplication, gatewayLogin, newSealKeys, startGateway } from '../parts.js';
import { gatewayTiming, noopName, noopVariant, timingNote, variantOf } from '../variants.js';

/** Logged in first; each is refreshed once per round. */
const sessions = { quick: 200, full: 2_000 };

export const refresh: Scenario = {
  name: 'gateway-refresh',
  about: 'Refreshes: by the workers of two replicas, all due at once, and by POST /auth/refresh',
  run: async (bench, settings) => {
    const count = settings.quick ? sessions.quick : sessions.full;
    const sealKeys = newSealKeys();
    // Two deployments, or one's worker would do the other's work.
    const [shared, alone] = [
      await benchRedis(bench, { appendOnly: true }),
      await benchRedis(bench, { appendOnly: true }),
    ];
    const [application, single] = [await gatewayApplication(), await gatewayApplication()];
    const peers = await startPeers(bench, [application.client, single.client]);
    const replicas = [
      await startGateway(bench, { name: 'replica-a', application, redis: shared, peers, sealKeys }),
      await startGateway(bench, {
        name: 'replica-b',
        application: { ...application, port: (await gatewayApplication()).port },
        redis: shared,
        peers,
        sealKeys,
      }),
    ];
    const gateway = await startGateway(bench, {
      name: 'gateway',
      application: single,
      redis: alone,
      peers,
    });
    for (const port of [application.port, single.port]) {
      await peers.load(gatewayLogin(port)).run({ milliseconds: 120_000, checks: count, pids: [] });
    }
    const order = { milliseconds: 60_000, checks: count };
    const rows = await measure(
      [
        await noopVariant(bench, peers),
        variantOf({
          name: 'refresh by the workers of two replicas',
          peers,
          work: { kind: 'due-refresh', loginsOf: application.port, redis: accessTo(shared) },
          services: replicas,
          redis: shared,
          order,
        }),
        variantOf({
          name: 'POST /auth/refresh',
          peers,
          work: {
            kind: 'post-refresh',
            port: single.port,
            connections: 16,
            loginsOf: single.port,
            redis: accessTo(alone),
          },
          services: [gateway],
          redis: alone,
          order,
        }),
      ],
      gatewayTiming(settings),
    );
    return {
      tables: [{ title: refresh.about, rows }],
      notes: [
        `${timingNote(refresh.name, gatewayTiming(settings))}; ${count} refreshes a round`,
        ...(settings.quick ? ['gateway-refresh: for --quick that is too few to warm up'] : []),
      ],
      goals: [
        pairedRatio(
          'gateway-refresh-worker',
          rows,
          'sum',
          ['refresh by the workers of two replicas', noopName],
          10,
        ),
        pairedRatio('gateway-refresh-post', rows, 'sum', ['POST /auth/refresh', noopName], 12),
      ],
    };
  },
};

function accessTo({
  process,
  adminCredentials,
}: {
  process: { port: number };
  adminCredentials: { username: string; password: string };
}): RedisAccess {
  return { port: process.port, ...adminCredentials };
}
