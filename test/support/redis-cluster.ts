import type { RedisProcess } from '@sallyport/demo/redis-process';
import type { Redis } from 'ioredis';
import { until } from './until.js';

const slotCount = 16_384;

/** What `redis-cli --cluster create` does, which a machine with only the server does not have. */
export async function formCluster(
  servers: readonly RedisProcess[],
  admins: readonly Redis[],
): Promise<void> {
  const [first] = servers;
  if (first === undefined) return;
  await Promise.all(
    admins.map(async (admin, index) => {
      const share = Math.ceil(slotCount / admins.length);
      const from = index * share;
      const slots = Array.from(
        { length: Math.min(share, slotCount - from) },
        (_, offset) => from + offset,
      );
      // Different epochs: two primaries with one epoch would have to settle it first.
      await admin.cluster('SET-CONFIG-EPOCH', index + 1);
      await admin.cluster('ADDSLOTS', ...slots);
      if (index > 0) await admin.cluster('MEET', '127.0.0.1', first.port);
    }),
  );
  await until(async () => {
    const answers = await Promise.all(admins.map((admin) => admin.cluster('INFO')));
    return answers.every(
      (answer) =>
        answer.includes('cluster_state:ok') &&
        answer.includes(`cluster_slots_ok:${slotCount}`) &&
        answer.includes(`cluster_known_nodes:${admins.length}`),
    );
  });
}
