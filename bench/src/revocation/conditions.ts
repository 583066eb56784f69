import type { Redis } from 'ioredis';
import type { LoadProcess } from '../load/load-process.js';
import type { FreezingProxy } from './freezing-proxy.js';

/** What the invalidations meet while a session is revoked. */
export interface Condition {
  readonly name: 'idle' | 'loaded' | 'killed' | 'frozen';
  readonly about: string;
  /** Sessions revoked under one disturbance, at random moments of `spreadMs`. */
  readonly batch: number;
  readonly spreadMs: number;
  /** Of the p99.9. */
  readonly goalMs: number;
  readonly pauseMs: number;
}

export const conditions: readonly Condition[] = [
  {
    name: 'idle',
    about: 'nothing else happens',
    batch: 1,
    spreadMs: 0,
    goalMs: 50,
    pauseMs: 0,
  },
  {
    name: 'loaded',
    about: '3,000 checks/s for other sessions',
    batch: 1,
    spreadMs: 0,
    goalMs: 50,
    pauseMs: 0,
  },
  {
    name: 'killed',
    about: 'the invalidation connection is killed first (CLIENT KILL)',
    batch: 10,
    spreadMs: 20,
    goalMs: 50,
    pauseMs: 1,
  },
  {
    name: 'frozen',
    about: 'the invalidation connection stands still, its sockets open',
    batch: 20,
    spreadMs: 200,
    goalMs: 1_000,
    pauseMs: 2,
  },
];

export const loadRate = 3_000;

/** Kills the connections that carry invalidations. @returns how many */
export async function killInvalidationLinks(admin: Redis): Promise<number> {
  const list = (await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) as string;
  const ids = [...list.matchAll(/^id=([0-9]+) /gm)].map(([, id]) => Number(id));
  for (const id of ids) await admin.call('CLIENT', 'KILL', 'ID', id);
  return ids.length;
}

export interface Disturbers {
  readonly admin: Redis;
  readonly proxy: FreezingProxy;
  readonly load: LoadProcess;
}

/** Brings the condition about once. @returns how many invalidation links it met; undefined where it meets none */
export function disturb(
  { name }: Condition,
  { admin, proxy }: Disturbers,
): Promise<number> | number | undefined {
  if (name === 'killed') return killInvalidationLinks(admin);
  return name === 'frozen' ? proxy.freeze() : undefined;
}
