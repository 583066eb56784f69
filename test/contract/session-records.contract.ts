import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  decodeSession,
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  newSessionId,
  sessionFields,
  sessionHandle,
  sessionKey,
  type SessionKeyForm,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { aNewSession } from '../support/builders.js';
import { users, type TestRedis } from '../support/redis.js';
import { dump } from '../support/redis-dump.js';

const hour = { idleSeconds: 1800, absoluteSeconds: 3600 };
const tokens = { expectedVersion: 1, sealedTokens: 'new' };
const permissions = { expectedVersion: 1, roles: ['guest'], permissions: [], freshForSeconds: 60 };

/** What must stand in a real Redis, whoever looks: the reader, an operator, a thief of its disk. */
export function sessionRecordsContract(redis: () => TestRedis): void {
  describe.each<SessionKeyForm>(['hashed', 'raw'])('records (%s keys)', (form) => {
    let writer: RedisConnection;
    let reader: RedisConnection;
    let admin: RedisConnection;
    let store: RedisSessionStore;
    let reasons: string[];

    beforeAll(async () => {
      writer = await redis().connect(users.writer);
      reader = await redis().connect(users.reader);
      admin = await redis().connect(users.admin);
      store = new RedisSessionStore(writer, {
        prefix: defaultSessionKeyPrefix,
        onCorrupt: (reason) => reasons.push(reason),
      });
    });

    function fresh() {
      reasons = [];
      const id = newSessionId();
      const handle = sessionHandle(id, form);
      const keys = {
        reader: sessionKey(defaultSessionKeyPrefix, handle),
        gateway: gatewaySessionKey(defaultSessionKeyPrefix, handle),
      };
      return { id, handle, keys };
    }

    async function left(keys: { reader: string; gateway: string }): Promise<number> {
      return admin.exists(keys.reader, keys.gateway);
    }

    it('are written for the reader as it reads them, by its own user', async () => {
      const { handle, keys } = fresh();
      const created = await store.create(handle, aNewSession({ shareEmail: true }), hour);
      await store.update(handle, { permissions });
      const expiresAt = await store.slide(handle, 2000);
      expect(decodeSession(await reader.hmget(keys.reader, ...sessionFields))).toEqual({
        outcome: 'found',
        session: {
          userId: 'user-1',
          roles: ['guest'],
          permissions: [],
          createdAt: created.createdAt,
          expiresAt,
          kind: 'browser',
          permVersion: 2,
          email: 'ada@example.org',
        },
      });
    });

    it('tell the reader no address unless asked to', async () => {
      const { handle, keys } = fresh();
      await store.create(handle, aNewSession(), hour);
      expect(await admin.hexists(keys.reader, 'email')).toBe(0);
    });

    it('end at the same instant, which is the one they state', async () => {
      const { handle, keys } = fresh();
      await store.create(handle, aNewSession(), hour);
      for (const step of [
        () => Promise.resolve(),
        () => store.slide(handle, 2500),
        () => store.update(handle, { tokens, permissions }),
        () => store.slide(handle, 99_999),
      ]) {
        await step();
        const session = await store.find(handle);
        const deadline = (session?.expiresAt ?? 0) * 1000;
        expect(await admin.hget(keys.reader, 'expires_at')).toBe(String(session?.expiresAt));
        if (redis().version[0] >= 7) {
          expect(await admin.call('PEXPIRETIME', keys.reader)).toBe(deadline);
          expect(await admin.call('PEXPIRETIME', keys.gateway)).toBe(deadline);
        } else {
          // 6.2 tells only what is left: read between two looks at its clock.
          const script =
            "local t = redis.call('TIME') return { t[1] * 1000 + math.floor(t[2] / 1000)," +
            " redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[2]) }";
          const [now, one, two] = (await admin.eval(script, 2, keys.reader, keys.gateway)) as [
            number,
            number,
            number,
          ];
          expect(one).toBe(two);
          expect(Math.abs(now + one - deadline)).toBeLessThanOrEqual(2);
        }
      }
    });

    it('all have a TTL, and hold neither the id nor a plain token', async () => {
      const { id, handle, keys } = fresh();
      await store.create(handle, aNewSession(), hour);
      await store.slide(handle, 2000);
      await store.update(handle, { tokens, permissions });
      const entries = await dump(redis());
      expect(entries.map((entry) => entry.key)).toEqual(
        expect.arrayContaining([keys.reader, keys.gateway]),
      );
      expect(entries.filter((entry) => entry.ttl < 0)).toEqual([]);
      if (form === 'hashed') expect(JSON.stringify(entries)).not.toContain(id);
      const values = entries.map((entry) => JSON.stringify(entry.value)).join('\n');
      expect(values).not.toContain(id);
    });

    it('survive SCRIPT FLUSH', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { handle } = fresh();
        const flush = () => Promise.all(redis().admins.map((one) => one.script('FLUSH')));
        await flush();
        await store.create(handle, aNewSession(), hour);
        await flush();
        expect(await store.slide(handle, 2000)).toBeDefined();
        await flush();
        expect(await store.update(handle, { tokens })).toMatchObject({ tokens: 'stored' });
        await flush();
        expect(await store.find(handle)).toBeDefined();
      }
    });

    it('reg-A8: leave no key behind when slide and remove cross on two connections', async () => {
      const other = new RedisSessionStore(await redis().connect(users.writer), {
        prefix: defaultSessionKeyPrefix,
      });
      for (let round = 0; round < 200; round += 1) {
        const { handle, keys } = fresh();
        await store.create(handle, aNewSession(), hour);
        const steps = [
          () => store.slide(handle, 3000),
          () => (round % 4 < 2 ? other.remove(handle) : other.take(handle)),
          () => store.update(handle, { tokens, permissions }),
          () => store.slide(handle, 3500),
        ];
        if (round % 2 === 1) steps.reverse();
        await Promise.all(steps.map((step) => step()));
        expect(await left(keys)).toBe(0);
      }
    });

    it.each(['reader', 'gateway'] as const)(
      'are no session, and are removed together, when the %s’s is missing',
      async (which) => {
        const { handle, keys } = fresh();
        await store.create(handle, aNewSession(), hour);
        await admin.del(keys[which]);
        expect(await store.find(handle)).toBeUndefined();
        expect(reasons).toEqual(['half']);
        expect(await store.slide(handle, 2000)).toBeUndefined();
        expect(await store.update(handle, { tokens, permissions })).toEqual({ outcome: 'gone' });
        await expect(store.create(handle, aNewSession(), hour)).rejects.toMatchObject({
          code: 'session_exists',
        });
        expect(await left(keys)).toBe(1);
        expect(await store.remove(handle)).toBe(true);
        expect(await left(keys)).toBe(0);
      },
    );

    it.each([
      ['reader', 'missing'],
      ['gateway', 'missing'],
      ['reader', 'of another type'],
      ['gateway', 'of another type'],
    ] as const)('are taken together as no session when the %s’s is %s', async (which, what) => {
      const { handle, keys } = fresh();
      await store.create(handle, aNewSession(), hour);
      await admin.del(keys[which]);
      if (what !== 'missing') await admin.set(keys[which], 'a string', 'EX', 100);
      expect(await store.take(handle)).toBeUndefined();
      expect(await left(keys)).toBe(0);
    });

    it.each(['reader', 'gateway'] as const)(
      'are not touched by any verb but remove when the %s’s is of another type',
      async (which) => {
        const { handle, keys } = fresh();
        await store.create(handle, aNewSession(), hour);
        const other = which === 'reader' ? keys.gateway : keys.reader;
        await admin.set(keys[which], 'a string', 'EX', 100);
        const before = await admin.hgetall(other);
        const ttl = await admin.ttl(other);
        expect(await store.find(handle)).toBeUndefined();
        expect(reasons).toEqual(['wrong-type']);
        await expect(store.slide(handle, 99_999)).rejects.toThrow('WRONGTYPE');
        await expect(store.update(handle, { tokens, permissions })).rejects.toThrow('WRONGTYPE');
        await expect(store.create(handle, aNewSession(), hour)).rejects.toMatchObject({
          code: 'session_exists',
        });
        expect(await admin.hgetall(other)).toEqual(before);
        expect(await admin.ttl(other)).toBeLessThanOrEqual(ttl);
        expect(await store.remove(handle)).toBe(true);
        expect(await left(keys)).toBe(0);
      },
    );

    it.each(['reader', 'gateway'] as const)(
      'are no session when the %s’s has no TTL',
      async (which) => {
        const { handle, keys } = fresh();
        await store.create(handle, aNewSession(), hour);
        await admin.persist(keys[which]);
        expect(await store.find(handle)).toBeUndefined();
        expect(reasons).toEqual(['immortal']);
        expect(await store.slide(handle, 2000)).toBeUndefined();
        await store.remove(handle);
      },
    );

    it.each([
      ['expires_at', '1', 'unequal'],
      ['expires_at', 'soon', 'expires_at'],
      ['sub', '', 'sub'],
      ['kind', 'root', 'kind'],
      ['roles', 'a b', 'roles'],
      ['token_version', '-1', 'token_version'],
    ])('are no session when %s is "%s"', async (field, value, reason) => {
      const { handle, keys } = fresh();
      await store.create(handle, aNewSession(), hour);
      await admin.hset(keys.gateway, field, value);
      expect(await store.find(handle)).toBeUndefined();
      expect(reasons).toEqual([reason]);
    });

    it('are no session, and are not renewed, when their deadline has passed with a live TTL', async () => {
      const { handle, keys } = fresh();
      await store.create(handle, aNewSession(), hour);
      await admin.hset(keys.reader, 'expires_at', '1');
      await admin.hset(keys.gateway, 'expires_at', '1');
      expect(await store.find(handle)).toBeUndefined();
      expect(reasons).toEqual(['overdue']);
      expect(await store.slide(handle, 2000)).toBeUndefined();
    });
  });
}
