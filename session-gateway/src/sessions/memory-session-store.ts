import { checkNames, systemClock, type Clock, type SessionHandle } from '@sallyport/shared';
import {
  defaultPermFreshSeconds,
  encodeReaderRecord,
  newlyStored,
  withoutUndefined,
} from './gateway-record.js';
import {
  SessionExistsError,
  type NewSession,
  type SessionLifetimes,
  type SessionStore,
  type SessionUpdate,
  type SessionView,
  type StoredSession,
  type UpdateOutcome,
} from './session-store.js';

/** The same contract without Redis: for tests and for embedding. Sessions end with the process. */
export class MemorySessionStore implements SessionStore {
  readonly #sessions = new Map<SessionHandle, StoredSession>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a rejection, never a throw
  async create(
    handle: SessionHandle,
    session: NewSession,
    lifetimes: SessionLifetimes,
  ): Promise<StoredSession> {
    encodeReaderRecord(session);
    if (this.#alive(handle) !== undefined) throw new SessionExistsError();
    const instant = this.#clock();
    const createdAt = Math.floor(instant / 1000);
    const absoluteExpiresAt = createdAt + lifetimes.absoluteSeconds;
    const stored = newlyStored(structuredClone(session), {
      createdAt,
      createdMicros: Math.floor(instant - createdAt * 1000) * 1000,
      expiresAt: Math.min(createdAt + lifetimes.idleSeconds, absoluteExpiresAt),
      absoluteExpiresAt,
      permFreshUntil: createdAt + (session.permFreshForSeconds ?? defaultPermFreshSeconds),
    });
    this.#sessions.set(handle, stored);
    return structuredClone(stored);
  }

  find(handle: SessionHandle): Promise<StoredSession | undefined> {
    return Promise.resolve(structuredClone(this.#alive(handle)));
  }

  async look(handle: SessionHandle): Promise<SessionView | undefined> {
    const session = await this.find(handle);
    if (session !== undefined) Reflect.deleteProperty(session, 'sealedTokens');
    return session;
  }

  exists(handle: SessionHandle): Promise<boolean> {
    return Promise.resolve(this.#alive(handle) !== undefined);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a rejection, never a throw
  async update(
    handle: SessionHandle,
    { tokens, permissions }: SessionUpdate,
  ): Promise<UpdateOutcome> {
    if (permissions !== undefined) {
      checkNames('roles', permissions.roles);
      checkNames('permissions', permissions.permissions);
    }
    const session = this.#alive(handle);
    if (session === undefined) return { outcome: 'gone' };
    const outcome = {
      tokens: partOutcome(tokens, session.tokenVersion),
      permissions: partOutcome(permissions, session.permVersion),
    };
    let next = session;
    if (tokens !== undefined && outcome.tokens === 'stored') {
      const { sealedTokens, tokenExpiresAt, claimed } = tokens;
      const tokenVersion = session.tokenVersion + 1;
      const tokensAt = this.#now();
      const profile = claimed === undefined ? next.profile : { ...next.profile, claimed };
      next = withoutUndefined({
        ...{ ...next, profile, sealedTokens, tokenVersion, tokenExpiresAt, tokensAt },
      });
    }
    if (permissions !== undefined && outcome.permissions === 'stored') {
      const { roles, permissions: names, freshForSeconds } = permissions;
      next = withoutUndefined({
        ...next,
        grants: { userId: session.grants.userId, roles: [...roles], permissions: [...names] },
        permVersion: session.permVersion + 1,
        permFreshUntil: this.#now() + freshForSeconds,
        cappedAt: undefined,
      });
    }
    this.#sessions.set(handle, next);
    const isUncapped = session.cappedAt !== undefined && next.cappedAt === undefined;
    const { lastAccessedAt } = session;
    return { outcome: 'updated', ...outcome, ...(isUncapped && { uncapped: { lastAccessedAt } }) };
  }

  slide(handle: SessionHandle, idleSeconds: number, usedAt?: number): Promise<number | undefined> {
    const session = this.#alive(handle);
    if (session === undefined) return Promise.resolve(undefined);
    const now = this.#now();
    const used = Math.min(usedAt === undefined ? now : Math.floor(usedAt), now);
    const { absoluteExpiresAt, permFreshUntil } = session;
    // Overdue permissions move nothing: what is past cannot be later than the deadline.
    const cappedAt = permFreshUntil <= now ? 0 : (session.cappedAt ?? absoluteExpiresAt);
    const goal = Math.min(used + idleSeconds, absoluteExpiresAt, cappedAt);
    const expiresAt = goal > session.expiresAt ? goal : session.expiresAt;
    const lastAccessedAt = used > session.lastAccessedAt ? used : session.lastAccessedAt;
    this.#sessions.set(handle, { ...session, expiresAt, lastAccessedAt });
    return Promise.resolve(expiresAt);
  }

  cap(handle: SessionHandle, permVersion: number): Promise<number | undefined> {
    const session = this.#alive(handle);
    if (session?.permVersion !== permVersion) return Promise.resolve(session?.expiresAt);
    const cappedAt = session.permFreshUntil;
    const expiresAt = Math.min(session.expiresAt, cappedAt);
    this.#sessions.set(handle, { ...session, cappedAt, expiresAt });
    return Promise.resolve(this.#alive(handle)?.expiresAt);
  }

  reseal(
    handle: SessionHandle,
    sealedTokens: string,
    sealedAnew: string,
  ): Promise<'stored' | 'changed' | 'gone'> {
    const session = this.#alive(handle);
    if (session === undefined) return Promise.resolve('gone');
    if (session.sealedTokens !== sealedTokens) return Promise.resolve('changed');
    this.#sessions.set(handle, { ...session, sealedTokens: sealedAnew });
    return Promise.resolve('stored');
  }

  remove(handle: SessionHandle): Promise<boolean> {
    const was = this.#alive(handle) !== undefined;
    this.#sessions.delete(handle);
    return Promise.resolve(was);
  }

  take(
    handle: SessionHandle,
    told?: (session: StoredSession) => void,
  ): Promise<StoredSession | undefined> {
    const session = this.#alive(handle);
    this.#sessions.delete(handle);
    if (session !== undefined) told?.(session);
    return Promise.resolve(session);
  }

  #now(): number {
    return Math.floor(this.#clock() / 1000);
  }

  #alive(handle: SessionHandle): StoredSession | undefined {
    const session = this.#sessions.get(handle);
    if (session === undefined || session.expiresAt > this.#now()) return session;
    this.#sessions.delete(handle);
    return undefined;
  }
}

function partOutcome(
  part: { readonly expectedVersion: number | 'any' } | undefined,
  version: number,
): 'stored' | 'conflict' | 'untouched' {
  if (part === undefined) return 'untouched';
  const { expectedVersion } = part;
  return expectedVersion === 'any' || expectedVersion === version ? 'stored' : 'conflict';
}
