import {
  ownerKeys,
  parseSessionHandle,
  type SessionHandle,
  type SessionOwner,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { Cluster } from 'ioredis';
import { LuaScript } from './lua-script.js';
import type { IndexEntry, SessionIndex } from './session-index.js';

const script = { enter: new LuaScript('enter-index'), list: new LuaScript('list-index') };
const settledAfterSeconds = 60;

export class RedisSessionIndex implements SessionIndex {
  readonly #redis: RedisConnection;
  readonly #absoluteSeconds: number;

  constructor(redis: RedisConnection, absoluteSeconds: number) {
    this.#redis = redis;
    this.#absoluteSeconds = absoluteSeconds;
  }

  async enter(
    owners: readonly SessionOwner[],
    handle: SessionHandle,
    seq: number,
  ): Promise<boolean> {
    // The keys of one owner have one slot; all at once is one script instead of three.
    const groups = this.#redis instanceof Cluster ? owners.map((owner) => [owner]) : [owners];
    const entered = await Promise.all(
      groups.map((group) => {
        const keys = group.map(ownerKeys).flatMap(({ index, epoch }) => [index, epoch]);
        return script.enter.run(this.#redis, keys, [handle, this.#absoluteSeconds, seq]);
      }),
    );
    return entered.every((answer) => answer === 1);
  }

  async leave(owners: readonly SessionOwner[], handles: readonly SessionHandle[]): Promise<void> {
    if (handles.length === 0) return;
    await Promise.all(owners.map((owner) => this.#redis.zrem(ownerKeys(owner).index, ...handles)));
  }

  size(owner: SessionOwner): Promise<number> {
    return this.#redis.zcard(ownerKeys(owner).index);
  }

  async page(owner: SessionOwner, first: number, last: number): Promise<IndexEntry[]> {
    const [now, flat] = (await script.list.run(
      this.#redis,
      [ownerKeys(owner).index],
      [first, last],
    )) as [string, string[]];
    const youngest = Number(now) + this.#absoluteSeconds - settledAfterSeconds;
    return flat.flatMap((text, at) => {
      const handle = at % 2 === 0 ? parseSessionHandle(text) : undefined;
      return handle === undefined ? [] : [{ handle, settled: Number(flat[at + 1]) < youngest }];
    });
  }

  async stands(owners: readonly SessionOwner[], seq: number): Promise<boolean> {
    const epochs = await Promise.all(
      owners.map((owner) => this.#redis.get(ownerKeys(owner).epoch)),
    );
    return epochs.every((epoch) => Number(epoch ?? 0) <= seq);
  }
}
