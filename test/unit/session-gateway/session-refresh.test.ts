import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, userOwner } from '@sallyport/shared';
import { IdentityProviderError } from '../../../session-gateway/src/oidc/identity-provider-error.js';
import type { TokenSet } from '../../../session-gateway/src/oidc/token-set.js';
import type { RefreshEvents } from '../../../session-gateway/src/refresh-events.js';
import { MemorySessionIndex } from '../../../session-gateway/src/sessions/memory-session-index.js';
import type { StoredSession } from '../../../session-gateway/src/sessions/session-store.js';
import { MemorySessionStore } from '../../../session-gateway/src/sessions/memory-session-store.js';
import { PermissionRefresh } from '../../../session-gateway/src/sessions/permission-refresh.js';
import {
  SessionLifecycle,
  type ClosedSession,
} from '../../../session-gateway/src/sessions/session-lifecycle.js';
import { SessionRefresh } from '../../../session-gateway/src/sessions/session-refresh.js';
import { aNewSession } from '../../support/builders.js';

const begin = { accessToken: 'a1', idToken: 'i1', refreshToken: 'r1' };
const next = { accessToken: 'a2', idToken: 'i2', refreshToken: 'r2', expiresAt: 2_000_000_000 };

/** Everything a refresh touches; `at` is called before each of its awaits, with the number of it. */
async function world(at: (step: number, act: World) => Promise<void> | void = () => undefined) {
  const now = 1_800_000_000_000;
  const real = new MemorySessionStore(() => now);
  const handle = sessionHandle(newSessionId(), 'hashed');
  const lifetimes = { idleSeconds: 1800, absoluteSeconds: 36_000 };
  const cipher = {
    open: (sealed: string) => Promise.resolve(JSON.parse(sealed) as TokenSet),
    seal: (tokens: TokenSet) => Promise.resolve(JSON.stringify(tokens)),
  };
  const index = new MemorySessionIndex();
  const sessions = new SessionLifecycle({
    ...{ store: real, index, cipher, lifetimes, keyForm: 'hashed', limit: 0 },
  });
  const closed: ClosedSession[] = [];
  await real.create(
    handle,
    aNewSession({ sealedTokens: JSON.stringify(begin), tokenExpiresAt: 1_800_000_001 }),
    lifetimes,
  );
  const log: string[] = [];
  const directory = { roles: ['editor'], down: false, userId: 'user-1' };
  const idp = { answer: next as TokenSet | Error };
  const lock = { isSpent: false, failing: '' };
  let step = 0;
  const acts: World = {
    push: async (roles) => {
      directory.roles = roles;
      const session = await real.find(handle);
      const expectedVersion = session?.permVersion ?? 0;
      const permissions = { expectedVersion, roles, permissions: [], freshForSeconds: 900 };
      await real.update(handle, { permissions });
    },
    logout: async () => {
      closed.push(...[await sessions.close(handle)].filter((one) => one !== undefined));
    },
    revoke: () => index.revoke(userOwner('user-1'), 1_000_000),
    cap: () => real.cap(handle, 1),
  };
  const before = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    log.push(name);
    await at((step += 1), acts);
    return work();
  };
  const store = {
    find: (h: typeof handle) => before('find', () => real.find(h)),
    look: (h: typeof handle) => before('look', () => real.look(h)),
    update: (...args: Parameters<typeof real.update>) =>
      before('update', () => real.update(...args)),
    slide: (...args: Parameters<typeof real.slide>) => before('slide', () => real.slide(...args)),
    cap: (...args: Parameters<typeof real.cap>) => before('cap', () => real.cap(...args)),
  };
  const watched = {
    stands: (...args: Parameters<typeof sessions.stands>) =>
      before('stands', () =>
        lock.failing === 'stands' ? Promise.reject(new Error('down')) : sessions.stands(...args),
      ),
    drop: (h: typeof handle) => before('drop', () => sessions.drop(h)),
    liftCap: (...args: Parameters<typeof sessions.liftCap>) => sessions.liftCap(...args),
  };
  const events = new Proxy({} as RefreshEvents, {
    get: (_, name) => (what?: unknown) => void log.push(`${String(name)} ${String(what)}`),
  });
  const permissions = new PermissionRefresh({
    store,
    sessions,
    events,
    freshSeconds: 900,
    client: {
      grantsOf: () =>
        before('grants', () => {
          const { userId, roles, down } = directory;
          return down
            ? Promise.reject(new Error('down'))
            : Promise.resolve({ userId, roles, permissions: [] });
        }),
    },
  });
  const reply = <T>(name: string, value: T) => before(name, () => Promise.resolve(value));
  const refresh = new SessionRefresh({
    store,
    sessions: watched,
    permissions,
    events,
    cipher: {
      open: (sealed) => before('open', () => cipher.open(sealed)),
      seal: (tokens) => before('seal', () => cipher.seal(tokens)),
    },
    idps: new Map([
      [
        'idp',
        {
          prepare: () => reply('prepare', undefined),
          refresh: (token) =>
            before(`send ${token}`, () =>
              idp.answer instanceof Error
                ? Promise.reject(idp.answer)
                : Promise.resolve(idp.answer),
            ),
          revoke: (token) => reply(`revoke ${token}`, undefined),
        },
      ],
    ]),
    lock: {
      settled: () => none,
      acquire: () =>
        reply('acquire', {
          outcome: lock.isSpent ? ('spent' as const) : ('held' as const),
          lock: {
            isRetry: false,
            markInFlight: () => reply('mark', true),
            unmark: () => void log.push('unmark'),
            settle: () => undefined,
            // As the lock's: what was let go once is not let go again.
            release: () => (log.includes('release') ? none : reply('release', undefined)),
            rest: (fate) => reply(`rest ${fate}`, undefined),
            abandon: () => void log.push('abandon'),
          },
        }),
    },
    ended: { remember: (_, reason) => reply(`remember ${reason}`, undefined) },
    clock: () => now,
    patience: 10,
    persistence: 10,
  });
  const run = async (earlier?: StoredSession) => {
    const seen = earlier ?? (await real.find(handle));
    if (seen === undefined) throw new Error('no session');
    return refresh.refresh(handle, seen, 'request');
  };
  return {
    run,
    log,
    directory,
    idp,
    lock,
    closed,
    find: () => real.find(handle),
    steps: () => step,
  };
}

interface World {
  readonly push: (roles: string[]) => Promise<void>;
  readonly logout: () => Promise<void>;
  /** The epoch alone: whoever raised it died before it could end a session. */
  readonly revoke: () => void;
  /** Another replica asked in vain for the permissions that the session began with. */
  readonly cap: () => Promise<unknown>;
}

const none = Promise.resolve(undefined);

describe('the refresh of a session', () => {
  it('looks again after winning, marks, sends once, stores tokens and roles in one step', async () => {
    const { run, log, find } = await world();
    expect(await run()).toMatchObject({
      outcome: 'refreshed',
      session: { tokenVersion: 2, permVersion: 2 },
    });
    expect(log).toEqual([
      ...['acquire', 'find', 'open', 'prepare', 'grants', 'permissionsFetched ok', 'stands'],
      ...['mark', 'tokenSent false', 'send r1', 'seal', 'update', 'stands', 'look', 'release'],
    ]);
    expect(await find()).toMatchObject({
      sealedTokens: JSON.stringify(next),
      tokenVersion: 2,
      permVersion: 2,
      grants: { roles: ['editor'] },
    });
  });

  const steps = Array.from({ length: 13 }, (_, index) => index + 1);

  it.each(steps)(
    'reg-A12: keeps roles that are pushed before await %i, and the tokens',
    async (when) => {
      const { run, log, find } = await world(async (step, { push }) => {
        if (step === when) await push(['pushed']);
      });
      expect(await run()).toMatchObject({ outcome: 'refreshed' });
      expect(log.filter((line) => line.startsWith('send'))).toEqual(['send r1']);
      expect(await find()).toMatchObject({
        sealedTokens: JSON.stringify(next),
        tokenVersion: 2,
        grants: { roles: ['pushed'] },
      });
    },
  );

  it.each(steps)('of one that ends before await %i leaves no token behind', async (when) => {
    const { run, log, find, closed } = await world(async (step, { logout }) => {
      if (step === when) await logout();
    });
    const { outcome } = await run();
    expect(await find()).toBeUndefined();
    // A removal after the store has taken the tokens finds them there: logout revokes those.
    const stored = when > 10;
    expect(outcome).toBe(stored ? 'refreshed' : 'gone');
    const sent = log.some((line) => line.startsWith('send'));
    expect(log.includes('revoke r2')).toBe(sent && !stored);
    expect(closed).toMatchObject([{ idp: 'idp', tokens: stored ? next : begin }]);
  });

  it.each(steps)('of one that is revoked before await %i ends it', async (when) => {
    const { run, log, find } = await world((step, { revoke }) => {
      if (step === when) revoke();
    });
    expect(await run()).toEqual({ outcome: 'gone' });
    expect(await find()).toBeUndefined();
    // Known before the token is sent, it is not sent; found out later, what it brought is revoked.
    expect(log.includes('send r1')).toBe(when > 7);
    expect(log.includes('revoke r2')).toBe(when > 7);
  });

  it('sends nothing for a second tab that read the session before the first was done', async () => {
    const { run, log, find } = await world();
    const earlier = await find();
    await run();
    expect(await run(earlier)).toMatchObject({ outcome: 'refreshed' });
    expect(log.filter((line) => line.startsWith('send'))).toEqual(['send r1']);
  });

  it('goes on without roles where none can be had, and caps the session', async () => {
    const { run, directory, find } = await world();
    directory.down = true;
    expect(await run()).toMatchObject({ outcome: 'refreshed' });
    expect(await find()).toMatchObject({
      tokenVersion: 2,
      permVersion: 1,
      cappedAt: 1_800_000_900,
      expiresAt: 1_800_000_900,
    });
  });

  it.each([3, 4, 5, 6])(
    'caps nothing where other permissions are stored before await %i and before its own failure is',
    async (when) => {
      const { run, directory, find } = await world(async (step, { push }) => {
        if (step === when) await push(['pushed']);
      });
      directory.down = true;
      expect(await run()).toMatchObject({ outcome: 'refreshed' });
      const session = await find();
      expect(session).toMatchObject({ permVersion: 2, expiresAt: 1_800_001_800 });
      expect(session).not.toHaveProperty('cappedAt');
    },
  );

  it.each(steps)('lifts the cap of another replica that came before await %i', async (when) => {
    const { run, find } = await world(async (step, { cap }) => {
      if (step === when) await cap();
    });
    const outcome = await run();
    expect(outcome).toMatchObject({ outcome: 'refreshed' });
    const session = await find();
    // As long as use had brought it, not only as long as the old permissions were good for.
    expect(session).toMatchObject({ permVersion: 2, expiresAt: 1_800_001_800 });
    expect(session).not.toHaveProperty('cappedAt');
    if ('session' in outcome) expect(outcome.session).toMatchObject({ expiresAt: 1_800_001_800 });
  });

  it('takes the answer for another user as none', async () => {
    const { run, directory, find } = await world();
    directory.userId = 'somebody-else';
    await run();
    expect(await find()).toMatchObject({ permVersion: 1, cappedAt: 1_800_000_900 });
  });

  it.each([
    ['invalid_grant', 'login_refused', 'session_ended_at_idp'],
    ['other_subject', 'bad_idp_answer', 'session_subject_changed'],
  ] as const)('ends it for %s, the reason first', async (detail, code, reason) => {
    const { run, log, idp, find } = await world();
    idp.answer = new IdentityProviderError(code, detail);
    expect(await run()).toEqual({ outcome: 'ended', reason });
    expect(await find()).toBeUndefined();
    expect(log.indexOf(`remember ${reason}`)).toBeLessThan(log.indexOf('drop'));
  });

  it('reg-A39: ends it when its token was used up by a retry, the reason first', async () => {
    const { run, log, lock, find } = await world();
    lock.isSpent = true;
    expect(await run()).toEqual({ outcome: 'ended', reason: 'session_ended_at_idp' });
    expect(await find()).toBeUndefined();
    expect(log).toEqual(['acquire', 'find', 'remember session_ended_at_idp', 'drop']);
  });

  it('reg-A39: keeps it when the retry has brought new tokens after all', async () => {
    const { run, log, lock, find } = await world();
    const earlier = await find();
    await run();
    lock.isSpent = true;
    expect(await run(earlier)).toEqual({ outcome: 'refreshed' });
    expect(await find()).toMatchObject({ tokenVersion: 2 });
    expect(log).not.toContain('drop');
  });

  it('counts no use of a token that was not sent for want of Redis', async () => {
    const { run, log, lock, find } = await world();
    lock.failing = 'stands';
    await expect(run()).rejects.toThrow('down');
    expect(log.slice(log.indexOf('mark'))).toEqual(['mark', 'unmark', 'release']);
    expect(await find()).toMatchObject({ tokenVersion: 1 });
  });

  it.each([
    ['http_503', 'idp_unreachable', 'unknown'],
    ['invalid_client', 'idp_unsuitable', 'unspent'],
  ] as const)('keeps it for %s and lets the token rest', async (detail, code, fate) => {
    const { run, log, idp, find } = await world();
    idp.answer = new IdentityProviderError(code, detail);
    expect(await run()).toEqual({ outcome: 'kept', reason: code });
    // The permissions that were asked for meanwhile are kept, or each try would ask again.
    expect(await find()).toMatchObject({ tokenVersion: 1, permVersion: 2 });
    expect(log).toContain(`rest ${fate}`);
  });
});
