import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import type { Cluster, Redis } from 'ioredis';
import { clusterTrust, type ClusterTrust } from '../../../extauthz/src/cache/cluster-trust.js';
import type { InvalidationLink } from '../../../extauthz/src/cache/invalidation-link.js';

const prefix = 'extauthz:session:';
const half = 8_192;

class Node extends EventEmitter {
  status = 'ready';
  refusal: string | undefined;
  readonly asked: string[] = [];
  readonly options: { host: string; port: number };
  constructor(port: number) {
    super();
    this.options = { host: '127.0.0.1', port };
  }
  info = () => Promise.resolve(`run_id:${String(this.options.port).padStart(40, '0')}\r\n`);
  pttl = (key: string) => this.#answer(key);
  xadd = (key: string) => this.#answer(key);
  #answer(key: string): Promise<unknown> {
    this.asked.push(key);
    return this.refusal === undefined
      ? Promise.resolve(-2)
      : Promise.reject(new Error(this.refusal));
  }
}

class FakeCluster extends EventEmitter {
  members: Node[] = [];
  slots: string[][] = [];
  nodes = () => this.members;
  own(from: number, to: number, port: number): void {
    for (let slot = from; slot < to; slot += 1) this.slots[slot] = [`127.0.0.1:${String(port)}`];
  }
}

describe('clusterTrust', () => {
  let cluster: FakeCluster;
  let trust: ClusterTrust;
  let links: Map<number, { trusted: boolean; generation: number }>;
  let flushes: number;
  let time: number;
  const [low, high] = [new Node(1), new Node(2)];
  let inLow: SessionHandle;
  let inHigh: SessionHandle;

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const trusts = (handle: SessionHandle): boolean => trust.trust.isTrusted(time, handle);
  const link = (port: number) => links.get(port) as { trusted: boolean; generation: number };

  beforeEach(async () => {
    [cluster, flushes, time] = [new FakeCluster(), 0, 0];
    links = new Map();
    for (const node of [low, high]) {
      node.refusal = undefined;
      node.asked.length = 0;
    }
    cluster.members = [low, high];
    cluster.own(0, half, 1);
    cluster.own(half, 2 * half, 2);
    trust = clusterTrust({
      cluster: cluster as unknown as Cluster,
      prefix,
      openLink: ({ port }): InvalidationLink => {
        const state = { trusted: true, generation: 1 };
        links.set(port, state);
        return {
          name: 'link',
          isTrusted: () => state.trusted,
          generation: () => state.generation,
          server: () => String(port).padStart(40, '0'),
          armedAt: () => 0,
          keepOnlyIf: () => undefined,
          start: () => Promise.resolve(),
          stop: () => Promise.resolve(),
        };
      },
      onFlush: () => (flushes += 1),
      now: () => time,
      onError: () => undefined,
    });
    await trust.units[0]?.start();
    await settle();
    const owned = (node: Node): SessionHandle => {
      for (;;) {
        const handle = sessionHandle(newSessionId(), 'hashed');
        if (trust.owner(handle) === (node as unknown as Redis)) return handle;
      }
    };
    [inLow, inHigh] = [owned(low), owned(high)];
    flushes = 0;
  });
  afterEach(() => trust.units[0]?.stop());

  it('trusts each handle by the link of its slot’s owner alone', () => {
    expect([trusts(inLow), trusts(inHigh)]).toEqual([true, true]);
    link(1).trusted = false;
    expect([trusts(inLow), trusts(inHigh)]).toEqual([false, true]);
    expect(trust.isTrusted(time)).toBe(false);
  });

  it('asks for one flush per doubt, and for none on behalf of a primary nothing was kept of', () => {
    expect(trust.trust.isFlushDue(inLow)).toBe(false);
    expect(trusts(inLow)).toBe(true);
    expect(trust.trust.isFlushDue(inLow)).toBe(true);
    expect(trust.trust.isFlushDue(inLow)).toBe(false);
  });

  it('proves each primary by a key under the prefix in a slot of its own', () => {
    for (const node of [low, high]) {
      expect(node.asked.some((key) => key.startsWith(`${prefix}proof-`))).toBe(true);
    }
    expect([low, high].filter(({ asked }) => asked.includes('extauthz:activity'))).toHaveLength(1);
  });

  it.each(['CLUSTERDOWN The cluster is down', 'MOVED 1 127.0.0.1:2'])(
    'trusts a primary no more that answers %s',
    async (refusal) => {
      low.refusal = refusal;
      low.emit('ready');
      await settle();
      expect([trusts(inLow), trusts(inHigh)]).toEqual([false, true]);
    },
  );

  it('lets the proof run out', () => {
    time = 2_000;
    expect([trusts(inLow), trusts(inHigh)]).toEqual([false, false]);
  });

  it('distrusts a slot whose owner has changed until that was surveyed with a flush', () => {
    const before = trust.trust.generation(inLow);
    expect(trusts(inLow)).toBe(true);
    cluster.own(0, half, 2);
    expect(trusts(inLow)).toBe(false);
    expect(flushes).toBe(0);
    cluster.emit('refresh');
    expect(flushes).toBe(1);
    expect(trusts(inLow)).toBe(true);
    expect(trust.trust.generation(inLow)).not.toBe(before);
  });

  it('flushes for a primary that went and was relied on, and not for a survey that finds nothing new', () => {
    expect(trusts(inLow)).toBe(true);
    cluster.emit('refresh');
    expect(flushes).toBe(0);
    cluster.members = [high];
    cluster.emit('-node');
    expect(flushes).toBe(1);
    expect(trusts(inLow)).toBe(false);
    expect(trust.owner(inLow)).toBeUndefined();
    const before = trust.trust.generation(inHigh);
    cluster.members = [high, low];
    cluster.emit('+node');
    expect(flushes).toBe(1);
    // Its connection has yet to prove itself.
    expect(trusts(inLow)).toBe(false);
    expect(trust.trust.generation(inHigh)).toBe(before);
  });

  it('does not flush for a primary that comes and goes while nothing is kept on its word', () => {
    expect([trusts(inLow), trusts(inHigh)]).toEqual([true, true]);
    expect(trust.trust.isFlushDue(inLow)).toBe(true);
    for (const members of [[high], [high, low], [high]]) {
      cluster.members = members;
      cluster.emit('refresh');
    }
    expect(flushes).toBe(0);
  });

  it('never gives two primaries, or one that came back, the same generation', () => {
    const seen = [inLow, inHigh].map((handle) => trust.trust.generation(handle));
    cluster.members = [high];
    cluster.emit('-node');
    cluster.members = [high, low];
    cluster.emit('+node');
    seen.push(trust.trust.generation(inLow));
    link(1).generation += 1;
    seen.push(trust.trust.generation(inLow));
    expect(new Set(seen).size).toBe(seen.length);
  });
});
