import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import { IdentityProviderError } from '../../../session-gateway/src/oidc/identity-provider-error.js';
import type { TokenSet } from '../../../session-gateway/src/oidc/token-set.js';
import type { RefreshEvents } from '../../../session-gateway/src/refresh-events.js';
import { MemorySessionStore } from '../../../session-gateway/src/sessions/memory-session-store.js';
import { PermissionRefresh } from '../../../session-gateway/src/sessions/permission-refresh.js';
import { SessionRefresh } from '../../../session-gateway/src/sessions/session-refresh.js';
import { aNewSession } from '../../support/builders.js';

const begin = { accessToken: 'a1', idToken: 'i1', refreshToken: 'r1' };
const next = { accessToken: 'a2', idToken: 'i2', refreshToken: 'r2', expiresAt: 2_000_000_000 };

/** Everything a refresh touches; `at` is called before each of its awaits, with the number of it. */
async function world(at: (step: number, act: World) => Promise<void> | void = () => undefined) {
  const now = 1_800_000_000_000;
  const real = new MemorySessionStore(() => now);
  const handle = sessionHandle(newSessionId(), 'hashed');
  await real.create(
    handle,
    aNewSession({ sealedTokens: JSON.stringify(begin), tokenExpiresAt: 1_800_000_001 }),
    { idleSeconds: 1800, absoluteSeconds: 36_000 },
  );
  const log: string[] = [];
  const directory = { roles: ['editor'], down: false, userId: 'user-1' };
  const idp = { answer: next as TokenSet | Error };
  let step = 0;
  const acts: World = {
    push: async (roles) => {
      directory.roles = roles;
      const session = await real.find(handle);
      const expectedVersion = session?.permVersion ?? 0;
      const permissions = { expectedVersion, roles, permissions: [], freshForSeconds: 900 };
      await real.update(handle, { permissions });
    },
    remove: async () => {
      await real.remove(handle);
    },
  };
  const before = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    log.push(name);
    await at((step += 1), acts);
    return work();
  };
  const store = {
    create: real.create.bind(real),
    find: (h: typeof handle) => before('find', () => real.find(h)),
    update: (...args: Parameters<typeof real.update>) =>
      before('update', () => real.update(...args)),
    slide: (...args: Parameters<typeof real.slide>) => before('slide', () => real.slide(...args)),
    cap: (...args: Parameters<typeof real.cap>) => before('cap', () => real.cap(...args)),
    remove: (h: typeof handle) => before('remove', () => real.remove(h)),
  };
  const events = new Proxy({} as RefreshEvents, {
    get: (_, name) => (what?: unknown) => void log.push(`${String(name)} ${String(what)}`),
  });
  const permissions = new PermissionRefresh({
    store,
    events,
    idleSeconds: 1800,
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
    permissions,
    events,
    cipher: {
      open: (sealed) => reply('open', JSON.parse(sealed) as TokenSet),
      seal: (tokens) => reply('seal', JSON.stringify(tokens)),
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
      acquire: () =>
        reply('acquire', {
          outcome: 'held',
          lock: {
            isRetry: false,
            markInFlight: () => reply('mark', true),
            release: () => reply('release', undefined),
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
  const run = async () => {
    const seen = await real.find(handle);
    if (seen === undefined) throw new Error('no session');
    return refresh.refresh(handle, seen);
  };
  return { run, log, directory, idp, find: () => real.find(handle), steps: () => step };
}

interface World {
  readonly push: (roles: string[]) => Promise<void>;
  readonly remove: () => Promise<void>;
}

describe('the refresh of a session', () => {
  it('looks again after winning, marks, sends once, stores tokens and roles in one step', async () => {
    const { run, log, find } = await world();
    expect(await run()).toEqual({ outcome: 'refreshed' });
    expect(log).toEqual([
      ...['acquire', 'find', 'open', 'prepare', 'grants', 'permissionsFetched ok', 'mark'],
      ...['tokenSent false', 'send r1', 'seal', 'update', 'release'],
    ]);
    expect(await find()).toMatchObject({
      sealedTokens: JSON.stringify(next),
      tokenVersion: 2,
      permVersion: 2,
      grants: { roles: ['editor'] },
    });
  });

  const steps = Array.from({ length: 10 }, (_, index) => index + 1);

  it.each(steps)('keeps roles that are pushed before await %i, and the tokens', async (when) => {
    const { run, log, find } = await world(async (step, { push }) => {
      if (step === when) await push(['pushed']);
    });
    expect(await run()).toEqual({ outcome: 'refreshed' });
    expect(log.filter((line) => line.startsWith('send'))).toEqual(['send r1']);
    expect(await find()).toMatchObject({
      sealedTokens: JSON.stringify(next),
      tokenVersion: 2,
      grants: { roles: ['pushed'] },
    });
  });

  it.each(steps)('of one that ends before await %i leaves no token behind', async (when) => {
    const { run, log, find } = await world(async (step, { remove }) => {
      if (step === when) await remove();
    });
    const { outcome } = await run();
    expect(await find()).toBeUndefined();
    // A removal after the store has taken the tokens finds them there: logout revokes those.
    const stored = when > 9;
    expect(outcome).toBe(stored ? 'refreshed' : 'gone');
    const sent = log.some((line) => line.startsWith('send'));
    expect(log.includes('revoke r2')).toBe(sent && !stored);
  });

  it('goes on without roles where none can be had, and caps the session', async () => {
    const { run, directory, find } = await world();
    directory.down = true;
    expect(await run()).toEqual({ outcome: 'refreshed' });
    expect(await find()).toMatchObject({
      tokenVersion: 2,
      permVersion: 1,
      cappedAt: 1_800_000_900,
      expiresAt: 1_800_000_900,
    });
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
    expect(log.indexOf(`remember ${reason}`)).toBeLessThan(log.indexOf('remove'));
  });

  it.each([
    ['http_503', 'idp_unreachable', 'unknown'],
    ['invalid_client', 'idp_unsuitable', 'unspent'],
  ] as const)('keeps it for %s and lets the token rest', async (detail, code, fate) => {
    const { run, log, idp, find } = await world();
    idp.answer = new IdentityProviderError(code, detail);
    expect(await run()).toEqual({ outcome: 'kept', reason: code });
    expect(await find()).toMatchObject({ tokenVersion: 1 });
    expect(log).toContain(`rest ${fate}`);
  });
});
