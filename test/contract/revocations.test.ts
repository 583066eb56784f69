import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  gatewaySessionKey,
  newSessionId,
  ownerKeys,
  revokeDueKey,
  revokeSeqKey,
  sessionHandle,
  sessionKey,
  sidOwner,
  subOwner,
  userOwner,
} from '@sallyport/shared';
import { AcknowledgedLink } from '../../session-gateway/src/sessions/acknowledged-link.js';
import { sessionsOf } from '../../session-gateway/src/sessions/live-sessions.js';
import { SessionLifecycle } from '../../session-gateway/src/sessions/session-lifecycle.js';
import { ownersOf } from '../../session-gateway/src/sessions/session-owners.js';
import { aNewSession } from '../support/builders.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { absoluteSeconds, alive, revocationsOn } from '../support/revocations.js';

const sealed = Promise.resolve('sealed.tokens.of-the-session');
const ada = userOwner('user-1');
const { profile, grants } = aNewSession();
const eve = aNewSession({
  profile: { ...profile, sub: 'subject-2', sid: 'provider-session-2' },
  grants: { ...grants, userId: 'user-2' },
});

function suite(redis: () => TestRedis): void {
  let under: Awaited<ReturnType<typeof revocationsOn>>;
  beforeAll(async () => {
    under = await revocationsOn(redis());
  });
  beforeEach(async () => {
    await Promise.all(redis().admins.map((admin) => admin.flushall()));
  });
  const key = async (name: string) => (await dump(redis())).find((entry) => entry.key === name);
  /** Records and indexes. */
  const leftovers = async () =>
    (await dump(redis()))
      .map((entry) => entry.key)
      .filter((name) => /^(?:extauthz:session:|gateway:(?:session|user|sub|sid):)/.test(name));

  it.each([
    ['a user', userOwner('user-1')],
    ['an account of a provider', subOwner('https://idp.example', 'subject-1')],
    ['a session of a provider', sidOwner('https://idp.example', 'provider-session-1')],
  ])('end every session of %s and no other', async (_what, owner) => {
    const mine = [await under.open(), await under.open(), await under.open({ kind: 'native' })];
    const other = await under.open(eve);
    expect(await under.revocations.revokeAll(owner)).toMatchObject({ ended: 3 });

    expect(await alive(redis(), [...mine, other])).toEqual([other]);
    expect(await key(ownerKeys(owner).index)).toBeUndefined();
    expect(await key(revokeDueKey)).toBeUndefined();
  });

  it('may be repeated, and made of somebody who has no session', async () => {
    expect(await under.revocations.revokeAll(ada)).toMatchObject({ ended: 0 });
    expect(await under.revocations.revokeAll(ada)).toMatchObject({ ended: 0 });
  });

  it('reg-A9: hold against a login that began before, and not against one that began after', async () => {
    const before = await under.revocations.sequence();
    await under.revocations.revokeAll(ada);
    await expect(under.open({ seq: before })).rejects.toThrow('revoked');
    expect(await alive(redis(), [await under.open()])).toHaveLength(1);
  });

  it('reg-A9: hold between the creation of a session and its cookie', async () => {
    const session = aNewSession({ seq: await under.revocations.sequence() });
    const handle = await under.open({ seq: session.seq });
    await under.revocations.revokeAll(ada);

    expect(await under.index.enter(ownersOf(session), handle, session.seq)).toBe(false);
    expect(await under.index.stands(ownersOf(session), session.seq)).toBe(false);
    expect(await under.index.stands(ownersOf(eve), session.seq)).toBe(true);
  });

  /** A real login's beginning, with both records and all three indexes. */
  const openWhole = (seq: number): Promise<unknown> =>
    new SessionLifecycle({
      ...{ store: under.store, index: under.index, keyForm: 'hashed', limit: 10 },
      cipher: { open: () => Promise.reject(new Error('unused')), seal: () => sealed },
      lifetimes: { idleSeconds: 1800, absoluteSeconds },
    }).open({ profile, tokens: { accessToken: 'a', idToken: 'i' } }, grants, seq, []);

  it.each(ownersOf(aNewSession()).map((owner) => [owner.kind, owner] as const))(
    'of one owner alone (%s) refuse the login, and leave nothing of it with the others',
    async (_kind, owner) => {
      const seq = await under.revocations.sequence();
      await under.revocations.revokeAll(owner);
      await expect(openWhole(seq)).rejects.toMatchObject({ code: 'login_revoked' });
      expect(await leftovers()).toEqual([]);
    },
  );

  it.each(ownersOf(aNewSession()).map((owner) => [owner.kind, owner] as const))(
    'find no half session where the index of one owner (%s) cannot be written',
    async (_kind, owner) => {
      const { index } = ownerKeys(owner);
      await under.connection.set(index, 'no index');
      const seq = await under.revocations.sequence();
      await expect(openWhole(seq)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await leftovers()).toEqual([index]);
      await under.connection.del(index);
      await expect(openWhole(seq)).resolves.toBeDefined();
    },
  );

  it('leave a session alone whose login began after them, when they are finished late', async () => {
    const old = await under.open();
    const { seq } = await under.revocations.revokeAll(sidOwner('https://idp.example', 'other'));
    const young = await under.open();
    await under.revocations.sweep({ owner: ada, seq });

    expect(await alive(redis(), [old, young])).toEqual([young]);
  });

  it('end records that are damaged', async () => {
    const handles = [await under.open(), await under.open()];
    const [first, second] = handles.map((handle) => ({
      reader: sessionKey('extauthz:session:', handle),
      gateway: gatewaySessionKey('extauthz:session:', handle),
    }));
    const { connection } = under;
    await connection.del(first?.gateway ?? '');
    await connection.set(second?.gateway ?? '', 'a string', 'EX', 100);
    await under.revocations.revokeAll(ada);

    expect(await alive(redis(), handles)).toEqual([]);
  });

  it('find a session that this version cannot read, although somebody looked for ghosts', async () => {
    const handle = await under.open();
    const { index } = ownerKeys(ada);
    // Not so young that it may still be about to begin.
    await under.connection.zadd(index, Math.floor(Date.now() / 1000) + 600, handle);
    const record = gatewaySessionKey('extauthz:session:', handle);
    await under.connection.hset(record, 'perm_version', 'of a later version');
    expect(await sessionsOf(ada, under.index, under.store)).toEqual([]);

    expect(await under.revocations.revokeAll(ada)).toMatchObject({ ended: 1 });
    expect(await alive(redis(), [handle])).toEqual([]);
  });

  it('take no ghost out of an index that may be a login under way', async () => {
    const session = aNewSession();
    const seq = await under.revocations.sequence();
    const young = sessionHandle(newSessionId(), 'hashed');
    await under.index.enter(ownersOf(session), young, seq + 1000);
    await under.revocations.sweep({ owner: ada, seq: seq + 1 });

    expect(await under.index.page(ada, 0, -1)).toEqual([{ handle: young, settled: false }]);
  });

  it('reg-A9: are in order, from a counter that has no end and survives its loss', async () => {
    const first = await under.revocations.revokeAll(ada);
    const second = await under.revocations.revokeAll(ada);
    expect(second.seq).toBe(first.seq + 1);
    expect(await under.revocations.sequence()).toBe(second.seq);
    expect((await key(revokeSeqKey))?.ttl).toBe(-1);

    await under.connection.del(revokeSeqKey);
    expect(await under.revocations.sequence()).toBeGreaterThan(second.seq);
  });

  it('reg-A9: are remembered longer than any session lives, and only ever longer', async () => {
    const { epoch } = ownerKeys(ada);
    await under.revocations.revokeAll(ada);
    expect((await key(epoch))?.ttl).toBeGreaterThan((86_400 + 890) * 1000);
    await under.connection.pexpire(epoch, 200_000_000);
    await under.revocations.revokeAll(ada);
    expect((await key(epoch))?.ttl).toBeGreaterThan(199_000_000);
  });

  it('leave no key without an expiry but the counter, and no name of anybody', async () => {
    await under.open();
    await under.revocations.revokeAll(userOwner('user-2'));
    const entries = await dump(redis());

    expect(entries.filter(({ ttl }) => ttl < 0).map((entry) => entry.key)).toEqual([revokeSeqKey]);
    const names = entries.map((entry) => entry.key).join('\n');
    expect(names).not.toMatch(/user-[12]|subject-|provider-session-|idp\.example/);
  });

  it('reg-A11: score an index by the absolute end, which a slide does not move, and let it live as long', async () => {
    const handle = await under.open();
    const session = await under.store.find(handle);
    await under.store.slide(handle, 3000);
    const entry = await key(ownerKeys(ada).index);
    const score = Number((entry?.value as string[])[1]);

    expect(score - (session?.absoluteExpiresAt ?? 0)).toBeGreaterThanOrEqual(0);
    expect(score - (session?.absoluteExpiresAt ?? 0)).toBeLessThanOrEqual(2);
    expect(entry?.ttl).toBeGreaterThan((absoluteSeconds - 60) * 1000);
    expect(entry?.ttl).toBeLessThanOrEqual((absoluteSeconds + 2) * 1000);
  });

  it('reg-A10: are resumed by another when their process is gone, once its lease has run out', async () => {
    const handles = [await under.open(), await under.open()];
    const started = await revocationsOn(redis(), {
      link: dyingLink(under.connection),
    });
    await expect(started.revocations.revokeAll(ada)).rejects.toThrow('killed');
    expect(await alive(redis(), handles)).toHaveLength(2);
    expect(await under.revocations.resume()).toBeUndefined();

    await under.connection.zadd(
      revokeDueKey,
      'XX',
      0,
      (await under.connection.zrange(revokeDueKey, 0, 0))[0] ?? '',
    );
    expect(await under.revocations.resume()).toEqual({ kind: 'user', ended: 2 });
    expect(await alive(redis(), handles)).toEqual([]);
    expect(await under.revocations.resume()).toBeUndefined();
  });

  it('are not held up for ever by a job that is none', async () => {
    await under.connection.zadd(revokeDueKey, 0, 'nonsense');
    await under.revocations.resume();
    expect(await under.connection.zcard(revokeDueKey)).toBe(0);
  });
}

/** Does what a killed process does: nothing more, once the records' turn has come. */
function dyingLink(connection: { call: (command: string, args: (string | number)[]) => unknown }) {
  return {
    write: (writes: readonly { words: readonly [string, ...(string | number)[]] }[]) =>
      Promise.all(
        writes.map(({ words: [command, ...args] }) => {
          if (command === 'DEL') throw new Error('killed');
          return connection.call(command, args);
        }),
      ),
  };
}

describe('revocations', () => {
  describeOnRedis('6.2', 'on Redis 6.2', suite);
  describeOnRedis('7', 'on Redis 7', suite);
  describeOnRedis('cluster', 'on Redis Cluster', (redis) => {
    suite(redis);

    it('find the primary of each record by themselves when they need its own word', async () => {
      const connection = await redis().connect(users.writer);
      const config = redis().config(users.writer);
      const link = new AcknowledgedLink({ config, redis: connection, acks: 0, timeout: 5000 });
      const under = await revocationsOn(redis(), { link });
      const handles = await Promise.all(Array.from({ length: 60 }, () => under.open()));

      expect(await under.revocations.revokeAll(ada)).toMatchObject({ ended: 60 });
      expect(await alive(redis(), handles)).toEqual([]);
      expect(
        (await dump(redis())).filter(({ key: name }) => /:ack:/.test(name)).length,
      ).toBeGreaterThan(0);
      await link.close();
    });
  });
});
