import { beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import type { SessionStore } from '../../session-gateway/src/sessions/session-store.js';
import { aNewSession } from '../support/builders.js';
import { sessionStoreCap } from './session-store-cap.contract.js';
import type { StoreUnderTest } from './session-store.contract.js';

export const hour = { idleSeconds: 1800, absoluteSeconds: 3600 };

/** The verbs on a session that exists: the second half of the contract. */
export function sessionStoreVerbs(under: () => StoreUnderTest): void {
  let store: SessionStore;
  beforeAll(() => {
    store = under().store;
  });

  describe('update', () => {
    it('stores both parts when both versions are still the ones read', async () => {
      const handle = aHandle();
      const created = await store.create(handle, aNewSession(), hour);
      const outcome = await store.update(handle, { ...newTokens(1), ...newPermissions(1) });
      expect(outcome).toEqual({ outcome: 'updated', tokens: 'stored', permissions: 'stored' });
      const found = await store.find(handle);
      expect(found).toMatchObject({
        sealedTokens: 'new-tokens',
        tokenExpiresAt: 1_900_000_000,
        tokenVersion: 2,
        permVersion: 2,
        grants: { userId: 'user-1', roles: ['guest'], permissions: [] },
        expiresAt: created.expiresAt,
        lastAccessedAt: created.lastAccessedAt,
      });
      expect(found?.permFreshUntil).toBeGreaterThanOrEqual(created.createdAt + 5000);
    });

    it('reg-A12: stores the tokens although the permissions have moved on, and the other way round', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), hour);
      await store.update(handle, newPermissions(1));
      expect(
        await store.update(handle, {
          ...newTokens(1),
          permissions: {
            expectedVersion: 1,
            roles: ['old'],
            permissions: [],
            freshForSeconds: 1,
          },
        }),
      ).toEqual({ outcome: 'updated', tokens: 'stored', permissions: 'conflict' });
      expect(await store.update(handle, { ...newTokens(1), ...newPermissions(2) })).toEqual({
        outcome: 'updated',
        tokens: 'conflict',
        permissions: 'stored',
      });
      expect(await store.find(handle)).toMatchObject({
        tokenVersion: 2,
        permVersion: 3,
        grants: { roles: ['guest'] },
      });
    });

    it('leaves untouched what it is not asked for', async () => {
      const handle = aHandle();
      const created = await store.create(handle, aNewSession(), hour);
      expect(await store.update(handle, {})).toEqual({
        outcome: 'updated',
        tokens: 'untouched',
        permissions: 'untouched',
      });
      expect(await store.find(handle)).toStrictEqual(created);
    });

    it('forgets when the tokens expire if the provider no longer says', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), hour);
      await store.update(handle, { tokens: { expectedVersion: 1, sealedTokens: 'next' } });
      expect(await store.find(handle)).not.toHaveProperty('tokenExpiresAt');
    });

    it('lets exactly one of many simultaneous refreshes store its tokens', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), hour);
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () => store.update(handle, newTokens(1))),
      );
      const stored = outcomes.filter((one) => one.outcome === 'updated' && one.tokens === 'stored');
      expect(stored).toHaveLength(1);
    });

    it('refuses values that must not become headers and writes nothing', async () => {
      const handle = aHandle();
      const created = await store.create(handle, aNewSession(), hour);
      const permissions = {
        expectedVersion: 1,
        roles: ['a b'],
        permissions: [],
        freshForSeconds: 1,
      };
      await expect(store.update(handle, { ...newTokens(1), permissions })).rejects.toMatchObject({
        code: 'bad_name',
      });
      expect(await store.find(handle)).toStrictEqual(created);
    });

    it('is gone, and stays gone, once the session was removed', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), hour);
      await store.remove(handle);
      expect(await store.update(handle, newTokens(1))).toEqual({ outcome: 'gone' });
      expect(await store.find(handle)).toBeUndefined();
    });
  });

  describe('slide', () => {
    const short = { idleSeconds: 100, absoluteSeconds: 10_000 };

    it('moves the deadline to now plus idle', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), short);
      const before = await under().now();
      const deadline = await store.slide(handle, 1000);
      expect(deadline).toBeGreaterThanOrEqual(before + 1000);
      expect(deadline).toBeLessThanOrEqual((await under().now()) + 1000);
      expect(await store.find(handle)).toMatchObject({ expiresAt: deadline });
    });

    it('touches neither version', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), short);
      await store.slide(handle, 1000);
      expect(await store.find(handle)).toMatchObject({ tokenVersion: 1, permVersion: 1 });
    });

    it('never shortens', async () => {
      const handle = aHandle();
      const { expiresAt } = await store.create(handle, aNewSession(), short);
      expect(await store.slide(handle, 1)).toBe(expiresAt);
      expect(await store.find(handle)).toMatchObject({ expiresAt });
    });

    it('never passes the absolute deadline', async () => {
      const handle = aHandle();
      const { absoluteExpiresAt } = await store.create(handle, aNewSession(), short);
      expect(await store.slide(handle, 1_000_000)).toBe(absoluteExpiresAt);
      expect(await store.slide(handle, Infinity)).toBe(absoluteExpiresAt);
    });

    it('reg-A17: counts a late report from when the session was in use', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), short);
      const usedAt = (await under().now()) - 500;
      expect(await store.slide(handle, 1000, usedAt)).toBe(usedAt + 1000);
    });

    it('reg-A17: counts a report from the future as now', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), short);
      const deadline = await store.slide(handle, 1000, (await under().now()) + 5000);
      expect(deadline).toBeLessThanOrEqual((await under().now()) + 1000);
    });

    it('takes a report that makes no sense as no reason to slide', async () => {
      const handle = aHandle();
      const { expiresAt } = await store.create(handle, aNewSession(), short);
      expect(await store.slide(handle, 1000, NaN)).toBe(expiresAt);
      expect(await store.slide(handle, NaN)).toBe(expiresAt);
      expect(await store.slide(handle, 1000, -1)).toBe(expiresAt);
    });

    it('is held up by permissions that nobody has asked for again in time', async () => {
      const handle = aHandle();
      const session = aNewSession({ permFreshForSeconds: 0 });
      const { expiresAt } = await store.create(handle, session, short);
      expect(await store.slide(handle, 1000)).toBe(expiresAt);
      const permissions = { expectedVersion: 1, roles: [], permissions: [], freshForSeconds: 900 };
      await store.update(handle, { permissions });
      expect(await store.slide(handle, 1000)).toBeGreaterThan(expiresAt);
    });

    it('brings nothing back', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), short);
      await store.remove(handle);
      expect(await store.slide(handle, 1000)).toBeUndefined();
      expect(await store.find(handle)).toBeUndefined();
    });
  });

  sessionStoreCap(under);

  describe('exists', () => {
    it('says whether anything is there, and nothing of what it is', async () => {
      const handle = aHandle();
      expect(await store.exists(handle)).toBe(false);
      await store.create(handle, aNewSession(), hour);
      expect(await store.exists(handle)).toBe(true);
      await store.remove(handle);
      expect(await store.exists(handle)).toBe(false);
    });
  });

  describe('remove', () => {
    it('ends the session and says whether there was one', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), hour);
      expect(await store.remove(handle)).toBe(true);
      expect(await store.remove(handle)).toBe(false);
      expect(await store.find(handle)).toBeUndefined();
    });

    it('ends no other session', async () => {
      const [one, other] = [aHandle(), aHandle()];
      await store.create(one, aNewSession(), hour);
      await store.create(other, aNewSession(), hour);
      await store.remove(one);
      expect(await store.find(other)).toBeDefined();
    });

    it('wins over every slide and update under way', async () => {
      for (let round = 0; round < 200; round += 1) {
        const handle = aHandle();
        await store.create(handle, aNewSession(), hour);
        const steps: (() => Promise<unknown>)[] = [
          () => store.slide(handle, 3000),
          () => store.update(handle, newTokens(1)),
          () => store.slide(handle, 3500),
        ];
        steps.splice(round % 4, 0, () =>
          round % 8 < 4 ? store.remove(handle) : store.take(handle),
        );
        await Promise.all(steps.map((step) => step()));
        expect(await store.find(handle)).toBeUndefined();
      }
    });
  });

  describe('reseal', () => {
    it('puts the new text in place of the old, and moves no version and no deadline', async () => {
      const handle = aHandle();
      const created = await store.create(handle, aNewSession({ sealedTokens: 'old' }), hour);
      expect(await store.reseal(handle, 'old', 'anew')).toBe('stored');
      expect(await store.find(handle)).toStrictEqual({ ...created, sealedTokens: 'anew' });
    });

    it('leaves tokens alone that a refresh has stored meanwhile', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession({ sealedTokens: 'old' }), hour);
      await store.update(handle, newTokens(1));
      expect(await store.reseal(handle, 'old', 'anew')).toBe('changed');
      expect(await store.find(handle)).toMatchObject({ sealedTokens: 'new-tokens' });
    });

    it('brings nothing back', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession({ sealedTokens: 'old' }), hour);
      await store.remove(handle);
      expect(await store.reseal(handle, 'old', 'anew')).toBe('gone');
      expect(await store.find(handle)).toBeUndefined();
    });
  });

  describe('take', () => {
    it('ends the session and says what it was', async () => {
      const handle = aHandle();
      await store.create(handle, aNewSession(), hour);
      await store.update(handle, newTokens(1));
      const last = await store.find(handle);
      expect(await store.take(handle)).toStrictEqual(last);
      expect(await store.find(handle)).toBeUndefined();
      expect(await store.take(handle)).toBeUndefined();
      expect(await store.update(handle, newTokens(2))).toEqual({ outcome: 'gone' });
    });

    it('loses no tokens to a refresh under way', async () => {
      for (let round = 0; round < 100; round += 1) {
        const handle = aHandle();
        await store.create(handle, aNewSession({ sealedTokens: 'old' }), hour);
        const steps = [() => store.update(handle, newTokens(1)), () => store.take(handle)];
        if (round % 2 === 0) steps.reverse();
        const answers = await Promise.all(steps.map((step) => step()));
        const found = answers.flatMap((one) => (one && 'sealedTokens' in one ? [one] : []));
        const stored = answers.some((one) => one && 'tokens' in one && one.tokens === 'stored');
        expect(found.map(({ sealedTokens }) => sealedTokens)).toEqual([
          stored ? 'new-tokens' : 'old',
        ]);
      }
    });
  });
}

export function aHandle(): SessionHandle {
  return sessionHandle(newSessionId(), 'hashed');
}

export function newTokens(expectedVersion: number) {
  return {
    tokens: { expectedVersion, sealedTokens: 'new-tokens', tokenExpiresAt: 1_900_000_000 },
  };
}

export function newPermissions(expectedVersion: number) {
  return {
    permissions: { expectedVersion, roles: ['guest'], permissions: [], freshForSeconds: 5000 },
  };
}
