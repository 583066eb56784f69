import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import type { RefreshEvents } from '../../../session-gateway/src/refresh-events.js';
import { activityConsumer } from '../../../session-gateway/src/sessions/activity-consumer.js';
import type {
  ActivityEntry,
  ActivityStream,
} from '../../../session-gateway/src/sessions/activity-stream.js';
import { MemorySessionStore } from '../../../session-gateway/src/sessions/memory-session-store.js';
import { aNewSession } from '../../support/builders.js';
import { until } from '../../support/until.js';

const lifetimes = { idleSeconds: 100, absoluteSeconds: 36_000 };

/** A consumer group of one: what was read and not confirmed is read again. */
class OneStream {
  readonly unread: ActivityEntry[];
  readonly pending = new Map<string, ActivityEntry>();

  constructor(handles: readonly SessionHandle[]) {
    const at = Date.now() / 1000;
    this.unread = handles.map((handle, index) => ({ id: `1-${String(index)}`, handle, at }));
  }

  repair = () => Promise.resolve('nothing' as const);
  claim = () => Promise.resolve(0);
  readPending = (atMost: number) => Promise.resolve([...this.pending.values()].slice(0, atMost));
  readNew = (atMost: number) => {
    const read = this.unread.splice(0, atMost);
    for (const one of read) this.pending.set(one.id, one);
    return Promise.resolve(read);
  };
  confirm = (ids: readonly string[]) => {
    for (const id of ids) this.pending.delete(id);
    return Promise.resolve();
  };
}

describe('activityConsumer', () => {
  it('slides and confirms all the others where some sessions cannot be reached', async () => {
    const store = new MemorySessionStore();
    const handles = Array.from({ length: 200 }, () => sessionHandle(newSessionId(), 'hashed'));
    for (const handle of handles) await store.create(handle, aNewSession(), lifetimes);
    // Those of a primary that is away; more than are attended to at once.
    const away = new Set(handles.filter((_, index) => index % 4 === 0));
    const stream = new OneStream(handles);
    const failures: unknown[] = [];
    const slid = new Set<SessionHandle>();
    const consumer = activityConsumer({
      stream: stream as unknown as ActivityStream,
      store: {
        find: (handle) =>
          away.has(handle) ? Promise.reject(new Error('CLUSTERDOWN')) : store.find(handle),
        slide: (handle, idle, usedAt) => {
          slid.add(handle);
          return store.slide(handle, idle, usedAt);
        },
      },
      sessions: { prolong: (_handle, _session, act) => act() },
      upkeep: {
        attend: () => Promise.reject(new Error('nobody’s permissions are overdue')),
        noteInUse: () => Promise.resolve(),
      },
      clock: Date.now,
      events: new Proxy({} as RefreshEvents, {
        get: (_, name) => (what: unknown, why: unknown) => {
          if (name === 'backgroundFailed') failures.push(why);
          return what;
        },
      }),
      idleSeconds: 1800,
      claimAfter: 1000,
    });
    await consumer.start();
    await until(() => stream.unread.length === 0 && failures.length > 0);
    expect(failures[0]).toEqual(new Error('CLUSTERDOWN'));
    expect([...slid].sort()).toEqual(handles.filter((one) => !away.has(one)).sort());
    expect([...stream.pending.values()].map(({ handle }) => handle).sort()).toEqual(
      [...away].sort(),
    );
    away.clear();
    await until(() => stream.pending.size === 0);
    expect(slid.size).toBe(handles.length);
    await consumer.stop();
  });

  it('renews permissions that are overdue before it slides, and leaves the provider alone', async () => {
    const store = new MemorySessionStore();
    const [overdue, other] = [0, 1].map(() => sessionHandle(newSessionId(), 'hashed')) as [
      SessionHandle,
      SessionHandle,
    ];
    const session = aNewSession({ permFreshForSeconds: 0 });
    const { expiresAt } = await store.create(overdue, session, lifetimes);
    await store.create(other, aNewSession(), lifetimes);
    const attended: [SessionHandle, boolean | undefined][] = [];
    const stream = new OneStream([overdue, other]);
    const consumer = activityConsumer({
      stream: stream as unknown as ActivityStream,
      store,
      sessions: { prolong: (_handle, _session, act) => act() },
      upkeep: {
        attend: async (handle, _by, how) => {
          attended.push([handle, how?.sparing]);
          const permissions = { expectedVersion: 1, roles: [], permissions: [] };
          await store.update(handle, { permissions: { ...permissions, freshForSeconds: 900 } });
          return { outcome: 'permissions_renewed' };
        },
        noteInUse: () => Promise.resolve(),
      },
      events: new Proxy({} as RefreshEvents, { get: () => () => undefined }),
      clock: Date.now,
      idleSeconds: 1800,
      claimAfter: 1000,
    });
    await consumer.start();
    await until(() => stream.unread.length === 0 && stream.pending.size === 0);
    await consumer.stop();
    expect(attended).toEqual([[overdue, true]]);
    for (const handle of [overdue, other]) {
      expect((await store.find(handle))?.expiresAt).toBeGreaterThan(expiresAt + 1000);
    }
  });
});
