import type { RedisProcess } from '@sallyport/demo/redis-process';
import type { Redis } from 'ioredis';
import { until } from './until.js';

const slotCount = 16_384;

/**
 * What `redis-cli --cluster create` does, which a machine with only the server does not have.
 *
 * @param primaries so many of them share the slots; the others copy from these in turn
 */
export async function formCluster(
  servers: readonly RedisProcess[],
  admins: readonly Redis[],
  primaries = servers.length,
): Promise<void> {
  const [first] = servers;
  if (first === undefined) return;
  // Different epochs: two primaries with one epoch would have to settle it first. Only while a node
  // knows no other.
  await Promise.all(admins.map((admin, index) => admin.cluster('SET-CONFIG-EPOCH', index + 1)));
  await Promise.all(
    admins.map(async (admin, index) => {
      if (index > 0) await admin.cluster('MEET', '127.0.0.1', first.port);
      if (index >= primaries) return;
      const share = Math.ceil(slotCount / primaries);
      const from = index * share;
      const slots = Array.from(
        { length: Math.min(share, slotCount - from) },
        (_, offset) => from + offset,
      );
      await admin.cluster('ADDSLOTS', ...slots);
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
  await Promise.all(
    admins.slice(primaries).map(async (admin, index) => {
      const source = (await admins[index % primaries]?.cluster('MYID')) ?? '';
      await until(() =>
        admin.cluster('REPLICATE', source).then(
          () => true,
          // It has not heard of that node yet.
          () => false,
        ),
      );
      await until(async () => (await admin.info('replication')).includes('master_link_status:up'));
    }),
  );
  await until(async () => {
    // Every node knows who copies from whom, so that a client's slot map is whole.
    const maps = await Promise.all(admins.map((admin) => admin.cluster('SLOTS')));
    const complete = 1 + Math.floor(admins.length / primaries - 1);
    return maps.every((map) =>
      (map as unknown[][]).every((range) => range.length - 2 === complete),
    );
  });
}

/** Which of the servers owns a slot. */
export async function ownerOf(admins: readonly Redis[], slot: number): Promise<number> {
  for (const [index, admin] of admins.entries()) {
    if ((await slotsOf(admin)).some(([from, to]) => slot >= from && slot <= to)) return index;
  }
  throw new Error(`nobody owns slot ${String(slot)}`);
}

/** By the node's own line in CLUSTER NODES; a slot on its way has brackets and no range. */
async function slotsOf(admin: Redis): Promise<(readonly [from: number, to: number])[]> {
  const nodes = (await admin.cluster('NODES')) as string;
  const lines = nodes.split('\n');
  const own = lines.find((line) => line.includes('myself')) ?? '';
  return own
    .split(' ')
    .slice(8)
    .flatMap((text) => {
      const [, from, to] = /^([0-9]+)(?:-([0-9]+))?$/.exec(text) ?? [];
      return from === undefined ? [] : [[Number(from), Number(to ?? from)] as const];
    });
}

interface Move {
  readonly from: number;
  readonly to: number;
  readonly user: { readonly name: string; readonly password: string };
  /** Done when the keys have gone and the slot has not. */
  readonly between?: () => Promise<void>;
}

/** What `redis-cli --cluster reshard` does, for one slot. */
export async function moveSlot(
  { servers, admins }: { servers: readonly RedisProcess[]; admins: readonly Redis[] },
  slot: number,
  { from, to, user, between }: Move,
): Promise<void> {
  const [source, target] = [admins[from], admins[to]];
  const port = servers[to]?.port;
  if (source === undefined || target === undefined || port === undefined) return;
  const [sourceId, targetId] = [await source.cluster('MYID'), await target.cluster('MYID')];
  await target.cluster('SETSLOT', slot, 'IMPORTING', sourceId);
  await source.cluster('SETSLOT', slot, 'MIGRATING', targetId);
  const keys = await source.cluster('GETKEYSINSLOT', slot, 1000);
  const auth = ['AUTH2', user.name, user.password];
  for (const key of keys) {
    await source.call('MIGRATE', '127.0.0.1', port, key, 0, 5000, ...auth);
  }
  await between?.();
  for (const admin of [target, source, ...admins]) {
    await admin.cluster('SETSLOT', slot, 'NODE', targetId);
  }
}
