import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, userOwner, type SessionHandle } from '@sallyport/shared';
import { TokenCipher } from '../../../session-gateway/src/oidc/token-cipher.js';
import { Sealer } from '../../../session-gateway/src/sealing/sealer.js';
import { MemorySessionIndex } from '../../../session-gateway/src/sessions/memory-session-index.js';
import { MemorySessionStore } from '../../../session-gateway/src/sessions/memory-session-store.js';
import { SessionLifecycle } from '../../../session-gateway/src/sessions/session-lifecycle.js';
import { aNewSession } from '../../support/builders.js';

const { profile, grants } = aNewSession();
const login = { profile, tokens: { accessToken: 'a', idToken: 'i', refreshToken: 'r' } };

function aLifecycle(
  store = new MemorySessionStore(),
  ring = aRing(),
  index = new MemorySessionIndex(),
) {
  const lifetimes = { idleSeconds: 1800, absoluteSeconds: 43_200 };
  const cipher = new TokenCipher(new Sealer(ring));
  return new SessionLifecycle({ store, index, cipher, keyForm: 'hashed', lifetimes, limit: 10 });
}
const aRing = () => [{ kid: 'k1', key: new Uint8Array(randomBytes(32)) }];

describe('SessionLifecycle', () => {
  it('opens a session that its id finds, and closes it with its tokens', async () => {
    const sessions = aLifecycle();
    const { id, handle } = await sessions.open(login, grants, 0, []);

    expect(await sessions.find(id)).toMatchObject({ profile, grants, kind: 'browser' });
    expect(await sessions.close(handle)).toEqual({
      handle,
      userId: 'user-1',
      idp: 'idp',
      tokens: login.tokens,
    });
    expect(await sessions.find(id)).toBeUndefined();
    expect(await sessions.close(handle)).toBeUndefined();
  });

  it('ends what it replaces', async () => {
    const sessions = aLifecycle();
    const old = await sessions.open(login, grants, 0, []);
    const { id } = await sessions.open(login, grants, 0, [old.handle, old.handle]);

    expect(await sessions.find(old.id)).toBeUndefined();
    expect(await sessions.find(id)).toBeDefined();
  });

  it('begins nothing when what it replaces cannot be ended', async () => {
    const store = new MemorySessionStore();
    const created: string[] = [];
    const failing = Object.assign(Object.create(store) as MemorySessionStore, {
      create: (...args: Parameters<MemorySessionStore['create']>) => {
        created.push(args[0]);
        return store.create(...args);
      },
      take: () => Promise.reject(new Error('gone away')),
      remove: (handle: Parameters<MemorySessionStore['remove']>[0]) => store.remove(handle),
    });
    const old = sessionHandle(newSessionId(), 'hashed');

    await expect(aLifecycle(failing).open(login, grants, 0, [old])).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(created).toHaveLength(1);
    for (const handle of created) expect(await store.find(handle as typeof old)).toBeUndefined();
  });

  it.each(['before', 'after'])(
    'begins nothing for a user who is revoked just %s the session is written',
    async (moment) => {
      const store = new MemorySessionStore();
      const index = new MemorySessionIndex();
      const created: SessionHandle[] = [];
      const revoking = Object.assign(Object.create(store) as MemorySessionStore, {
        create: async (...args: Parameters<MemorySessionStore['create']>) => {
          created.push(args[0]);
          if (moment === 'before') index.revoke(userOwner(grants.userId), 5);
          const session = await store.create(...args);
          if (moment === 'after') index.revoke(userOwner(grants.userId), 5);
          return session;
        },
        remove: (handle: SessionHandle) => store.remove(handle),
      });
      const opening = aLifecycle(revoking, aRing(), index).open(login, grants, 4, []);

      await expect(opening).rejects.toMatchObject({ code: 'login_revoked' });
      expect(created).toHaveLength(1);
      for (const handle of created) expect(await store.find(handle)).toBeUndefined();
    },
  );

  it('closes a session whose tokens no key of the ring opens', async () => {
    const store = new MemorySessionStore();
    const { id, handle } = await aLifecycle(store).open(login, grants, 0, []);
    const replica = aLifecycle(store, [{ kid: 'k2', key: new Uint8Array(randomBytes(32)) }]);

    expect(await replica.find(id)).toBeDefined();
    expect(await replica.close(handle)).toEqual({ handle, userId: 'user-1', idp: 'idp' });
    expect(await replica.find(id)).toBeUndefined();
  });

  it('finds no session of another lane', async () => {
    const store = new MemorySessionStore();
    const id = newSessionId();
    await store.create(sessionHandle(id, 'hashed'), aNewSession({ kind: 'native' }), {
      idleSeconds: 60,
      absoluteSeconds: 60,
    });

    expect(await aLifecycle(store).find(id)).toBeUndefined();
  });

  it('says that it cannot know when the store gives no answer', async () => {
    const broken = Object.assign(new MemorySessionStore(), {
      find: () => Promise.reject(new Error('READONLY You can’t write against a replica')),
    });

    await expect(aLifecycle(broken).find(newSessionId())).rejects.toMatchObject({
      code: 'store_unavailable',
      detail: 'READONLY',
    });
  });
});
