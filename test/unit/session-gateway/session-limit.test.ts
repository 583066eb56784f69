import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { userOwner } from '@sallyport/shared';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import { TokenCipher } from '../../../session-gateway/src/oidc/token-cipher.js';
import { Sealer } from '../../../session-gateway/src/sealing/sealer.js';
import { MemorySessionIndex } from '../../../session-gateway/src/sessions/memory-session-index.js';
import { MemorySessionStore } from '../../../session-gateway/src/sessions/memory-session-store.js';
import {
  SessionLifecycle,
  type OpenedSession,
} from '../../../session-gateway/src/sessions/session-lifecycle.js';
import { ownersOf } from '../../../session-gateway/src/sessions/session-owners.js';
import { aNewSession } from '../../support/builders.js';

const { profile, grants } = aNewSession();
const login = { profile, tokens: { accessToken: 'a', idToken: 'i' } };
const lifetimes = { idleSeconds: 1800, absoluteSeconds: 43_200 };

function aWorld(limit: number) {
  let tick = 1000;
  let now = 1_800_000_000_000;
  const store = new MemorySessionStore(() => (now += tick));
  const index = new MemorySessionIndex();
  const cipher = new TokenCipher(new Sealer([{ kid: 'k1', key: new Uint8Array(randomBytes(32)) }]));
  const sessions = new SessionLifecycle({
    store,
    index,
    cipher,
    keyForm: 'hashed',
    lifetimes,
    limit,
  });
  const open = () => sessions.open(login, grants, 5, []);
  const pass = (milliseconds: number): void => {
    now += 1000;
    tick = milliseconds;
  };
  return { store, index, sessions, open, pass };
}

describe('SessionLifecycle', () => {
  it('ends the oldest sessions beyond the limit', async () => {
    const { sessions, open } = aWorld(3);
    const opened = [await open(), await open(), await open(), await open(), await open()];
    const found = await Promise.all(opened.map(({ id }) => sessions.find(id)));

    expect(found.map((session) => session !== undefined)).toEqual([false, false, true, true, true]);
  });

  it.each([
    ['within a millisecond', 0],
    ['in one second', 10],
    ['in two', 1000],
  ])('of logins at the same time, %s, ends as many as are too many', async (_when, apart) => {
    for (let round = 0; round < 20; round += 1) {
      const { sessions, index, open, pass } = aWorld(2);
      const earlier = [await open(), await open()];
      pass(apart);
      // Nobody looks who else is there before the records of all are.
      let waiting: (() => void)[] = [];
      const size = index.size.bind(index);
      index.size = async (owner) => {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (waiting.length === 3) for (const one of waiting.splice(0)) one();
        });
        waiting = [];
        return size(owner);
      };
      const opened = await Promise.all([open(), open(), open()]);
      const alive = async (all: readonly OpenedSession[]) =>
        (await Promise.all(all.map(({ id }) => sessions.find(id)))).filter((one) => one).length;
      expect([await alive(earlier), await alive(opened)]).toEqual([0, 2]);
    }
  });

  it('reg-A11: counts neither another kind nor a ghost', async () => {
    const { store, index, sessions, open } = aWorld(2);
    const machine = aNewSession({ kind: 'native' });
    const handles = Array.from({ length: 3 }, () => sessionHandle(newSessionId(), 'hashed'));
    for (const handle of handles) await index.enter(ownersOf(machine), handle, 5);
    await store.create(handles[0] as never, machine, lifetimes);
    const opened = [await open(), await open(), await open()];
    const found = await Promise.all(opened.map(({ id }) => sessions.find(id)));

    expect(found.map((session) => session !== undefined)).toEqual([false, true, true]);
    expect(await store.find(handles[0] as never)).toBeDefined();
  });

  it('counts not what the new one replaces', async () => {
    const { sessions, open } = aWorld(2);
    const [first, second] = [await open(), await open()];
    const third = await sessions.open(login, grants, 5, [second.handle]);
    const found = await Promise.all([first, second, third].map(({ id }) => sessions.find(id)));
    expect(found.map((session) => session !== undefined)).toEqual([true, false, true]);
  });

  it('leaves the session that is to be replaced where room cannot be made', async () => {
    const { sessions, store, index, open } = aWorld(2);
    const [, second] = [await open(), await open()];
    await open();
    const old = await open();
    const find = store.find.bind(store);
    index.page = () => Promise.reject(new Error('gone away'));
    await expect(
      sessions.open(login, grants, 5, [second.handle, old.handle]),
    ).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await find(old.handle)).toBeDefined();
  });

  it('lets in whose replaced session could not be taken out of the index', async () => {
    const { sessions, index, open } = aWorld(10);
    const old = await open();
    index.leave = () => Promise.reject(new Error('gone away'));
    const { id } = await sessions.open(login, grants, 5, [old.handle]);
    expect(await sessions.find(id)).toBeDefined();
    expect(await sessions.find(old.id)).toBeUndefined();
  });

  it('lets in any number without a limit', async () => {
    const { sessions, open } = aWorld(0);
    for (let count = 0; count < 20; count += 1) await open();
    expect(await sessions.allOf(userOwner('user-1'))).toHaveLength(20);
  });

  it('ends a login that was revoked since it began, whenever that was', async () => {
    const before = aWorld(10);
    before.index.revoke(userOwner('user-1'), 6);
    await expect(before.open()).rejects.toMatchObject({ code: 'login_revoked' });

    const during = aWorld(10);
    const create = during.store.create.bind(during.store);
    const created: string[] = [];
    during.store.create = async (...args) => {
      created.push(args[0]);
      during.index.revoke(userOwner('user-1'), 6);
      return create(...args);
    };
    await expect(during.open()).rejects.toMatchObject({ code: 'login_revoked' });
    expect(created).toHaveLength(1);
    expect(await during.store.find(created[0] as never)).toBeUndefined();
    expect(await during.index.size(userOwner('user-1'))).toBe(0);
  });

  it('tells a refresh under way that its session was revoked', async () => {
    const { index, sessions, open } = aWorld(10);
    const { id } = await open();
    const session = await sessions.find(id);
    if (session === undefined) throw new Error('just opened');

    expect(await sessions.stands(session)).toBe(true);
    index.revoke(userOwner('user-1'), 6);
    expect(await sessions.stands(session)).toBe(false);
  });
});
