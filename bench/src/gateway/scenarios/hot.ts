import { pairedRatio } from '../../goals.js';
import { benchRedis } from '../../parts/redis.js';
import { measure } from '../../rounds.js';
import type { Scenario } from '../../scenario.js';
import { startPeers } from '../load/peers-process.js';
import type { GetWork } from '../load/work.js';
import { gatewayApplication, startGateway } from '../parts.js';
import { seedPairs } from '../seeding.js';
import {
  connections,
  gatewayTiming,
  noopName,
  noopVariant,
  timingNote,
  variantOf,
} from '../variants.js';

const sessions = 1_000;
/** More than all rounds can use: each slides once. */
const idleSessions = { quick: 20_000, full: 150_000 };
/** Past half of the idle time: the next use moves the deadline. */
const longUnused = 1_000;

export const hot: Scenario = {
  name: 'gateway-hot',
  about: 'Heartbeat (GET /auth/v1/session) and GET /user, 32 connections, saturating',
  run: async (bench, settings) => {
    const { seed, quick } = settings;
    const [redis, idle] = [
      await benchRedis(bench, { appendOnly: true }),
      await benchRedis(bench, { appendOnly: true }),
    ];
    const count = quick ? idleSessions.quick : idleSessions.full;
    await seedPairs(redis, seed, sessions);
    await seedPairs(idle, seed, count, longUnused);
    const [application, other] = [await gatewayApplication(), await gatewayApplication()];
    const peers = await startPeers(bench, [application.client, other.client]);
    const gateway = await startGateway(bench, { name: 'gateway', application, redis, peers });
    const second = await startGateway(bench, {
      name: 'gateway-2',
      application: other,
      redis: idle,
      peers,
    });
    const get = (path: string): GetWork => ({
      kind: 'get',
      port: gateway.port,
      connections,
      path,
      sessions: { seed, count: sessions, order: 'random' },
    });
    const common = { peers, services: [gateway], redis };
    const sliding: GetWork = {
      ...get('/auth/v1/session'),
      port: second.port,
      sessions: { seed, count, order: 'each-once' },
    };
    const rows = await measure(
      [
        await noopVariant(bench, peers),
        variantOf({ ...common, name: 'heartbeat', work: get('/auth/v1/session') }),
        variantOf({ ...common, name: 'GET /user', work: get('/user') }),
        variantOf({
          name: 'heartbeat that slides',
          peers,
          work: sliding,
          services: [second],
          redis: idle,
        }),
      ],
      gatewayTiming(settings),
    );
    const slid = await slides(idle.admin, count);
    const judged = rows.find(({ name }) => name === 'heartbeat that slides')?.checks ?? 0;
    return {
      tables: [{ title: hot.about, rows }],
      notes: [
        timingNote(hot.name, gatewayTiming(settings)),
        `gateway-hot: ${slid} sessions slid for ${judged} measured heartbeats that had to (and ` +
          'those of the warm-up); no key opens the seeded tokens',
      ],
      goals: [
        pairedRatio('gateway-heartbeat', rows, 'sum', ['heartbeat', noopName], 2),
        pairedRatio('gateway-user', rows, 'sum', ['GET /user', noopName], 1.8),
      ],
    };
  },
};

/** How often a deadline was moved on both records, by Redis's own count. */
async function slides(
  admin: { info(section: string): Promise<string> },
  seeded: number,
): Promise<number> {
  const text = await admin.info('commandstats');
  const [, calls] = /cmdstat_pexpireat:calls=([0-9]+)/.exec(text) ?? [];
  return Math.floor(Number(calls ?? 0) / 2) - seeded;
}
