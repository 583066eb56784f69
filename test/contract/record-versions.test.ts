import { readFileSync } from 'node:fs';
import { beforeEach, expect, it } from '@jest/globals';
import {
  decodeSession,
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  sessionFields,
  sessionKey,
  type SessionHandle,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { parseSealKeys } from '../../session-gateway/src/config-rules.js';
import { TokenCipher } from '../../session-gateway/src/oidc/token-cipher.js';
import { Sealer } from '../../session-gateway/src/sealing/sealer.js';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { aNewSession } from '../support/builders.js';
import { sealKeys } from '../support/gateway.js';
import { describeOnRedis, users } from '../support/redis.js';
import { aHandle, hour, newTokens } from './session-store-verbs.contract.js';

interface Fixture {
  readonly handle: SessionHandle;
  readonly tokens: Record<string, unknown>;
  readonly reader: Record<string, string>;
  readonly gateway: Record<string, string>;
}

/** Frozen: a session as the first version wrote it, its tokens sealed by a key that is now second. */
const before = JSON.parse(
  readFileSync(new URL('../fixtures/records/version-1.json', import.meta.url), 'utf8'),
) as Fixture;

const whole = z.string().regex(/^(?:0|[1-9][0-9]{0,15})$/);
const names = z.string().regex(/^[A-Za-z0-9._:,-]*$/);
/** Frozen: what the first version demanded of a record. It cannot be asked any more; this can. */
const readerOfBefore = z.object({
  ...{ sub: z.string().min(1), iss: z.string().min(1), idp: z.string().min(1) },
  ...{ user_id: z.string().min(1), roles: names, permissions: names, tokens: z.string() },
  kind: z.enum(['browser', 'native', 'service']),
  email_verified: z.enum(['true', 'false']).optional(),
  auth_time: whole.optional(),
  token_expires_at: whole.or(z.literal('')).optional(),
  ...{ token_version: whole, perm_version: whole, perm_fresh_until: whole, seq: whole },
  ...{ created_at: whole, last_accessed_at: whole, expires_at: whole, absolute_expires_at: whole },
});

describeOnRedis('6.2', 'records of two versions side by side', (redis) => {
  const ring = parseSealKeys(sealKeys, false).keys;
  const cipher = new TokenCipher(new Sealer(ring));
  let writer: RedisConnection;
  let admin: Redis;
  let store: RedisSessionStore;
  let now: number;
  beforeEach(async () => {
    writer = await redis().connect(users.writer);
    ({ admin } = redis());
    store = new RedisSessionStore(writer, { prefix: defaultSessionKeyPrefix });
    now = Number((await admin.time())[0]);
  });

  const keysOf = (handle: SessionHandle) =>
    [
      sessionKey(defaultSessionKeyPrefix, handle),
      gatewaySessionKey(defaultSessionKeyPrefix, handle),
    ] as const;
  /** As that version left it, with times of today. */
  async function plant(more: { reader?: object; gateway?: object } = {}): Promise<void> {
    const [reader, gateway] = keysOf(before.handle);
    const times = { created_at: now, expires_at: now + 900 };
    await admin.del(reader, gateway);
    await admin.hset(reader, { ...before.reader, ...times, ...more.reader });
    await admin.hset(gateway, {
      ...{ ...before.gateway, ...times, last_accessed_at: now, token_expires_at: now + 300 },
      ...{ absolute_expires_at: now + 3600, perm_fresh_until: now + 900, ...more.gateway },
    });
    for (const key of [reader, gateway]) await admin.pexpireat(key, (now + 900) * 1000);
  }

  const readerSees = async () =>
    decodeSession(await admin.hmget(keysOf(before.handle)[0], ...sessionFields));

  it('what the version before wrote is found, opened, slid, refreshed, capped and ended', async () => {
    await plant();
    const found = await store.find(before.handle);
    expect(found).toMatchObject({
      profile: { sub: 'subject-1', idp: 'idp', emailVerified: true },
      grants: { userId: 'user-1', roles: ['admin', 'editor'] },
      ...{ tokenVersion: 1, permVersion: 1, seq: 7, expiresAt: now + 900 },
    });
    expect(await cipher.open(found?.sealedTokens ?? '', before.handle)).toEqual(before.tokens);
    expect(await readerSees()).toMatchObject({
      outcome: 'found',
    });

    expect(await store.slide(before.handle, 1800)).toBeGreaterThanOrEqual(now + 1800);
    expect(await store.update(before.handle, newTokens(1))).toMatchObject({ tokens: 'stored' });
    expect(await store.cap(before.handle, 1)).toBe(now + 900);
    expect(await store.take(before.handle)).toMatchObject({ tokenVersion: 2, cappedAt: now + 900 });
    expect(await store.find(before.handle)).toBeUndefined();
  });

  it('what this version writes, the version before can read: new, slid, refreshed, capped', async () => {
    const handle = aHandle();
    const [reader, gateway] = keysOf(handle);
    const steps = [
      () => store.create(handle, aNewSession(), hour),
      () => store.slide(handle, 3000),
      () => store.update(handle, newTokens(1)),
      () => store.cap(handle, 1),
    ];
    for (const step of steps) {
      await step();
      expect(readerOfBefore.safeParse(await admin.hgetall(gateway)).error).toBeUndefined();
      const seen = Object.keys(await admin.hgetall(reader));
      // A field that it did not know would have to be one that it may leave alone.
      expect(seen.filter((field) => !(sessionFields as readonly string[]).includes(field))).toEqual(
        [],
      );
      expect(seen).toEqual(expect.arrayContaining(Object.keys(before.reader)));
    }
  });

  it('what the version after adds is left alone and kept, in both records and in what is sealed', async () => {
    const sealer = new Sealer([...ring].reverse());
    const place = [before.handle, 'tokens', '1'] as const;
    const text = JSON.stringify({ ...before.tokens, deviceKey: 'of the version after' });
    await plant({
      reader: { assurance: 'high' },
      gateway: { tokens: await sealer.seal(text, place), bound_to: 'x', later: '' },
    });
    const [reader, gateway] = keysOf(before.handle);
    expect(await readerSees()).toMatchObject({ outcome: 'found' });
    const sealed = (await store.find(before.handle))?.sealedTokens ?? '';
    expect(await cipher.open(sealed, before.handle)).toEqual(before.tokens);

    const anew = await cipher.reseal(sealed, before.handle);
    expect(await store.reseal(before.handle, sealed, anew)).toBe('stored');
    expect(await new Sealer(ring).open(anew, place)).toBe(text);
    await store.slide(before.handle, 1800);
    await store.cap(before.handle, 1);
    await store.update(before.handle, newTokens(1));
    expect(await admin.hget(reader, 'assurance')).toBe('high');
    expect(await admin.hmget(gateway, 'bound_to', 'later')).toEqual(['x', '']);
  });
});
