import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionHandle } from '@sallyport/shared';
import type { NewSession, SessionStore } from '../../session-gateway/src/sessions/session-store.js';
import { aNewSession } from '../support/builders.js';
import { aHandle, hour, newTokens, sessionStoreVerbs } from './session-store-verbs.contract.js';

/** A store under test, and what only its maker knows of its time. */
export interface StoreUnderTest {
  readonly store: SessionStore;
  /** The store's own clock, epoch seconds. */
  now(): Promise<number>;
  /** Comes back when the session's deadline has passed. */
  runOut(handle: SessionHandle): Promise<void>;
  close(): Promise<void>;
}

/** Whatever is found is looked at as well: both must say the same, but for the tokens. */
function lookingTwice(store: SessionStore): SessionStore {
  const find = async (handle: SessionHandle) => {
    const [found, view] = [await store.find(handle), await store.look(handle)];
    const withoutTokens = found && { ...found };
    if (withoutTokens !== undefined) Reflect.deleteProperty(withoutTokens, 'sealedTokens');
    expect(view).toStrictEqual(withoutTokens);
    return found;
  };
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'find') return find;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** What every SessionStore must do; Redis's own dangers stand in session-records.contract.ts. */
export function sessionStoreContract(title: string, open: () => Promise<StoreUnderTest>): void {
  describe(title, () => {
    let under: StoreUnderTest;
    let store: SessionStore;
    beforeAll(async () => {
      under = await open();
      store = lookingTwice(under.store);
    });
    afterAll(() => under.close());

    it('finds what was created, with times by its own clock', async () => {
      const handle = aHandle();
      const before = await under.now();
      const created = await store.create(handle, aNewSession(), hour);
      const after = await under.now();
      expect(created).toStrictEqual({
        ...aNewSession(),
        createdAt: created.createdAt,
        createdMicros: expect.any(Number),
        lastAccessedAt: created.createdAt,
        expiresAt: created.createdAt + 1800,
        absoluteExpiresAt: created.createdAt + 3600,
        tokenVersion: 1,
        permVersion: 1,
        permFreshUntil: created.createdAt + 900,
      });
      expect(created.createdAt).toBeGreaterThanOrEqual(before);
      expect(created.createdAt).toBeLessThanOrEqual(after);
      expect(await store.find(handle)).toStrictEqual(created);
    });

    it('keeps a session that has only what is required', async () => {
      const handle = aHandle();
      const least: NewSession = {
        profile: { sub: 's', iss: 'https://idp.example', idp: 'idp' },
        grants: { userId: 'u', roles: [], permissions: [] },
        kind: 'native',
        sealedTokens: '',
        seq: 0,
      };
      const created = await store.create(handle, least, hour);
      expect(await store.find(handle)).toStrictEqual(created);
      expect(created).not.toHaveProperty('tokenExpiresAt');
      expect(created.grants.roles).toEqual([]);
    });

    it('keeps names outside ASCII and the sequence of a revocation exactly', async () => {
      const handle = aHandle();
      const profile = { ...aNewSession().profile, name: 'Zoë 漢字 \u{1F600}\n"' };
      await store.create(handle, aNewSession({ profile, seq: 1_763_700_000_123_456 }), hour);
      const found = await store.find(handle);
      expect(found?.profile.name).toBe(profile.name);
      expect(found?.seq).toBe(1_763_700_000_123_456);
    });

    it('finds nothing where nothing was created', async () => {
      expect(await store.find(aHandle())).toBeUndefined();
    });

    it('caps the idle deadline at the absolute one from the start', async () => {
      const created = await store.create(aHandle(), aNewSession(), {
        idleSeconds: 1800,
        absoluteSeconds: 60,
      });
      expect(created.expiresAt).toBe(created.createdAt + 60);
    });

    it('refuses to create over a session that exists, and leaves that one alone', async () => {
      const handle = aHandle();
      const first = await store.create(handle, aNewSession(), hour);
      await expect(store.create(handle, aNewSession({ seq: 8 }), hour)).rejects.toMatchObject({
        code: 'session_exists',
      });
      expect(await store.find(handle)).toStrictEqual(first);
    });

    it('lets exactly one of many simultaneous creates win', async () => {
      const handle = aHandle();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, seq) => store.create(handle, aNewSession({ seq }), hour)),
      );
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect(await store.find(handle)).toStrictEqual(winners[0]?.value);
    });

    it.each([
      ['a comma in a role', { roles: ['a,b'] }, 'bad_name'],
      ['a line break in a permission', { permissions: ['a\r\nx-roles: admin'] }, 'bad_name'],
      ['a user id that is no header value', { userId: 'zoë' }, 'bad_user_id'],
      ['an empty user id', { userId: '' }, 'bad_user_id'],
    ])('refuses %s before anything is written', async (_, grants, code) => {
      const handle = aHandle();
      const session = aNewSession({ grants: { ...aNewSession().grants, ...grants } });
      await expect(store.create(handle, session, hour)).rejects.toMatchObject({ code });
      expect(await store.find(handle)).toBeUndefined();
    });

    it('ends a session at its deadline', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), { idleSeconds: 1, absoluteSeconds: 60 });
      await under.runOut(handle);
      expect(await store.find(handle)).toBeUndefined();
      expect(await store.slide(handle, 1800)).toBeUndefined();
      expect(await store.update(handle, newTokens(1))).toEqual({ outcome: 'gone' });
      expect(await store.remove(handle)).toBe(false);
    });

    sessionStoreVerbs(() => under);
  });
}
