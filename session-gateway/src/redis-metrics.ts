import type { Command } from 'ioredis';
import {
  Counter,
  Gauge,
  redisErrorReason,
  type RedisConnection,
  type Registry,
} from '@sallyport/shared/runtime';

/** Reasons that a label may have; whatever else a server makes up is `OTHER` (ATTACKS 33). */
const known = new Set([
  ...['TIMEOUT', 'CONNECTION', 'NOPERM', 'NOAUTH', 'WRONGPASS', 'OOM', 'READONLY', 'LOADING'],
  ...['WRONGTYPE', 'NOGROUP', 'NOREPLICAS', 'MISCONF', 'CLUSTERDOWN', 'TRYAGAIN', 'BUSY', 'ERR'],
]);
/** No errors: the script is sent in full, the slot is asked elsewhere, the group is there already. */
const ordinary = new Set(['NOSCRIPT', 'MOVED', 'ASK', 'BUSYGROUP']);

/** Counts every command that failed, whoever sent it and whatever was made of it. */
export function countRedisErrors(redis: RedisConnection, registry: Registry): void {
  const errors = new Counter({
    name: 'gateway_redis_errors_total',
    help: 'Commands that Redis refused or did not answer, by the first word of its error',
    labelNames: ['reason'],
    registers: [registry],
  });
  // One signature for both: a Cluster's takes a node, too.
  const sender = redis as { sendCommand: (command: Command, ...rest: never[]) => unknown };
  const send = sender.sendCommand.bind(redis);
  sender.sendCommand = (command, ...rest) => {
    command.promise.catch((error: unknown) => {
      const reason = redisErrorReason(error);
      if (!ordinary.has(reason)) errors.inc({ reason: known.has(reason) ? reason : 'OTHER' });
    });
    return send(command, ...rest);
  };
}

/** @param count asked at every scrape; there is no value while it cannot be had */
export function measureLiveSessions(count: () => Promise<number>, registry: Registry): void {
  new Gauge({
    name: 'gateway_sessions_live',
    help: 'Sessions that are kept fresh, of all replicas; ended ones leave at once, expired ones when they are next due',
    registers: [registry],
    async collect() {
      try {
        this.set(await count());
      } catch {
        this.set(Number.NaN);
      }
    },
  });
}
