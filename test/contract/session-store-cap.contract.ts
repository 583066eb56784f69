import { beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionHandle } from '@sallyport/shared';
import type {
  SessionStore,
  StoredSession,
} from '../../session-gateway/src/sessions/session-store.js';
import { aNewSession } from '../support/builders.js';
import type { StoreUnderTest } from './session-store.contract.js';
import { aHandle, newPermissions, newTokens } from './session-store-verbs.contract.js';

const long = { idleSeconds: 1000, absoluteSeconds: 10_000 };

/** What becomes of a session whose permissions could not be asked for again. */
export function sessionStoreCap(under: () => StoreUnderTest): void {
  let store: SessionStore;
  beforeAll(() => {
    store = under().store;
  });

  async function fresh(seconds: number): Promise<{ handle: SessionHandle } & StoredSession> {
    const handle = aHandle();
    const session = aNewSession({ permFreshForSeconds: seconds });
    return { handle, ...(await store.create(handle, session, long)) };
  }

  describe('cap', () => {
    it('shortens the deadline, and holds it against every slide', async () => {
      const { handle, createdAt } = await fresh(500);
      expect(await store.cap(handle, 1)).toBe(createdAt + 500);
      expect(await store.slide(handle, 2000)).toBe(createdAt + 500);
      expect(await store.find(handle)).toMatchObject({
        expiresAt: createdAt + 500,
        cappedAt: createdAt + 500,
        tokenVersion: 1,
        permVersion: 1,
      });
    });

    it('holds slides back where the deadline is nearer already', async () => {
      const { handle, createdAt, expiresAt } = await fresh(1500);
      expect(await store.cap(handle, 1)).toBe(expiresAt);
      expect(await store.slide(handle, 5000)).toBe(createdAt + 1500);
    });

    it('is lifted by new permissions, not by new tokens, and who stores them is told', async () => {
      const { handle, createdAt } = await fresh(500);
      await store.cap(handle, 1);
      expect(await store.update(handle, newTokens(1))).not.toHaveProperty('uncapped');
      expect(await store.slide(handle, 2000, createdAt)).toBe(createdAt + 500);
      const { lastAccessedAt } = (await store.find(handle)) ?? {};
      expect(await store.update(handle, newPermissions(1))).toEqual({
        ...{ outcome: 'updated', tokens: 'untouched', permissions: 'stored' },
        uncapped: { lastAccessedAt },
      });
      expect(await store.find(handle)).not.toHaveProperty('cappedAt');
      expect(await store.slide(handle, 2000)).toBeGreaterThanOrEqual(createdAt + 2000);
      expect(await store.update(handle, newPermissions(2))).not.toHaveProperty('uncapped');
    });

    it('does nothing where others have stored permissions since, by a question or by a push', async () => {
      for (const expectedVersion of [1, 'any'] as const) {
        // The old ones are over: with their second, this would end the session.
        const { handle, createdAt, expiresAt } = await fresh(0);
        const { permissions } = newPermissions(1);
        await store.update(handle, { permissions: { ...permissions, expectedVersion } });
        expect(await store.cap(handle, 1)).toBe(expiresAt);
        expect(await store.find(handle)).not.toHaveProperty('cappedAt');
        expect(await store.slide(handle, 3000)).toBeGreaterThanOrEqual(createdAt + 3000);
      }
    });

    it('ends a session whose permissions are over, and brings nothing back', async () => {
      const { handle } = await fresh(0);
      expect(await store.cap(handle, 1)).toBeUndefined();
      expect(await store.find(handle)).toBeUndefined();
      expect(await store.cap(handle, 1)).toBeUndefined();
      expect(await store.remove(handle)).toBe(false);
    });
  });
}
