import { checkNames, gatewaySessionKey, sessionKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { encodeClaimedGrants } from './claimed-grants.js';
import { decodeRecord, decodeView, type DecodedRecord } from './gateway-record-decoding.js';
import {
  defaultPermFreshSeconds,
  encodeGatewayRecord,
  encodeReaderRecord,
  newlyStored,
} from './gateway-record.js';
import type { LeftTokens } from './left-tokens.js';
import { LuaScript } from './lua-script.js';
import {
  SessionExistsError,
  type NewSession,
  type SessionLifetimes,
  type SessionStore,
  type SessionUpdate,
  type SessionView,
  type StoredSession,
  type TokensToRevoke,
  type UpdateOutcome,
} from './session-store.js';
import { PlainLink, writeAnyway, type WriteLink } from './write-link.js';

export interface RedisSessionStoreOptions {
  /** `EXTAUTHZ_SESSION_KEY_PREFIX` */
  readonly prefix: string;
  /** For the end of a session; the ordinary connection if left out. */
  readonly link?: WriteLink;
  /** Where the tokens of a session that ends are left; left out, nothing is left of it. */
  readonly left?: Pick<LeftTokens, 'terms' | 'giveUp'>;
  /** Told why a pair of records that is there is no session: half, immortal, overdue, a field's name. */
  readonly onCorrupt?: (reason: string) => void;
}

const script = {
  create: new LuaScript('pair', 'create'),
  find: new LuaScript('pair', 'find'),
  look: new LuaScript('pair', 'look'),
  update: new LuaScript('pair', 'update'),
  slide: new LuaScript('pair', 'deadline', 'slide'),
  cap: new LuaScript('pair', 'deadline', 'cap'),
  reseal: new LuaScript('pair', 'reseal'),
  take: new LuaScript('pair', 'plan-left', 'take'),
};

/** Both records in Redis: one script, one slot, one expiry per verb. The rules stand in `lua/`. */
export class RedisSessionStore implements SessionStore {
  readonly #redis: RedisConnection;
  readonly #link: WriteLink;
  readonly #prefix: string;
  readonly #left: RedisSessionStoreOptions['left'];
  readonly #onCorrupt: (reason: string) => void;

  constructor(redis: RedisConnection, options: RedisSessionStoreOptions) {
    this.#redis = redis;
    this.#link = options.link ?? new PlainLink(redis);
    this.#prefix = options.prefix;
    this.#left = options.left;
    this.#onCorrupt = options.onCorrupt ?? (() => undefined);
  }

  async create(
    handle: SessionHandle,
    session: NewSession,
    lifetimes: SessionLifetimes,
  ): Promise<StoredSession> {
    // The reader's record first: it is the one that checks every value.
    const reader = Object.entries(encodeReaderRecord(session)).flat();
    const gateway = Object.entries(encodeGatewayRecord(session)).flat();
    const times = await script.create.run(this.#redis, this.#keys(handle), [
      lifetimes.idleSeconds,
      lifetimes.absoluteSeconds,
      session.permFreshForSeconds ?? defaultPermFreshSeconds,
      gateway.length,
      ...gateway,
      ...reader,
    ]);
    if (times === null) throw new SessionExistsError();
    const [createdAt, expiresAt, absoluteExpiresAt, permFreshUntil, createdMicros] = (
      times as string[]
    ).map(Number) as [number, number, number, number, number];
    return newlyStored(session, {
      createdAt,
      createdMicros,
      expiresAt,
      absoluteExpiresAt,
      permFreshUntil,
    });
  }

  async find(handle: SessionHandle): Promise<StoredSession | undefined> {
    const answer = await script.find.run(this.#redis, this.#keys(handle), []);
    return this.#judge(answer as Answer<string[]>, decodeRecord);
  }

  async look(handle: SessionHandle): Promise<SessionView | undefined> {
    const answer = await script.look.run(this.#redis, this.#keys(handle), []);
    return this.#judge(answer as Answer<(string | null)[]>, decodeView);
  }

  async exists(handle: SessionHandle): Promise<boolean> {
    return (await this.#redis.exists(...this.#keys(handle))) > 0;
  }

  #judge<C, T extends SessionView>(
    answer: Answer<C>,
    decode: (content: C) => DecodedRecord<T>,
  ): T | undefined {
    const judged = judge(answer, decode);
    if (typeof judged !== 'string') return judged;
    this.#onCorrupt(judged);
    return undefined;
  }

  async update(handle: SessionHandle, update: SessionUpdate): Promise<UpdateOutcome> {
    const { tokens, permissions } = update;
    if (permissions !== undefined) {
      checkNames('roles', permissions.roles);
      checkNames('permissions', permissions.permissions);
    }
    const answer = (await script.update.run(this.#redis, this.#keys(handle), [
      tokens?.expectedVersion ?? '',
      tokens?.sealedTokens ?? '',
      tokens?.tokenExpiresAt ?? '',
      permissions?.expectedVersion ?? '',
      permissions?.roles.join(',') ?? '',
      permissions?.permissions.join(',') ?? '',
      permissions?.freshForSeconds ?? '',
      tokens?.claimed === undefined ? '' : encodeClaimedGrants(tokens.claimed),
    ])) as ['gone'] | ['updated', PartOutcome, PartOutcome, string?];
    if (answer[0] === 'gone') return { outcome: 'gone' };
    const [, ofTokens, ofPermissions, inUse] = answer;
    const uncapped = inUse === undefined ? {} : { uncapped: { lastAccessedAt: Number(inUse) } };
    return { outcome: 'updated', tokens: ofTokens, permissions: ofPermissions, ...uncapped };
  }

  async slide(
    handle: SessionHandle,
    idleSeconds: number,
    usedAt?: number,
  ): Promise<number | undefined> {
    const deadline = await script.slide.run(this.#redis, this.#keys(handle), [
      idleSeconds,
      usedAt === undefined ? '' : Math.floor(usedAt),
    ]);
    return deadline === null ? undefined : Number(deadline);
  }

  async cap(handle: SessionHandle, permVersion: number): Promise<number | undefined> {
    const deadline = await script.cap.run(this.#redis, this.#keys(handle), [permVersion]);
    return deadline === null ? undefined : Number(deadline);
  }

  async reseal(
    handle: SessionHandle,
    sealedTokens: string,
    sealedAnew: string,
  ): Promise<'stored' | 'changed' | 'gone'> {
    const args = [sealedTokens, sealedAnew];
    const answer = await script.reseal.run(this.#redis, this.#keys(handle), args);
    return answer as 'stored' | 'changed' | 'gone';
  }

  /**
   * One DEL is one atomic step. No script: whatever has become of the two keys, of whatever type,
   * one of them missing, memory full, they must go.
   */
  async remove(handle: SessionHandle): Promise<boolean> {
    const [reader, gateway] = this.#keys(handle);
    const [removed] = await this.#link.write([{ key: reader, words: ['DEL', reader, gateway] }]);
    return Number(removed) > 0;
  }

  async take(
    handle: SessionHandle,
    told?: (session: StoredSession) => void,
    tokens?: TokensToRevoke,
  ): Promise<StoredSession | undefined> {
    const terms = tokens && this.#left?.terms(handle, tokens);
    const keys = [...this.#keys(handle), ...(terms?.keys ?? [])] as const;
    const write = { ...script.take.write(keys, [terms?.arg ?? '']), didNothing: foundNothing };
    const { replies, unconfirmed } = await writeAnyway(this.#link, [write]);
    const [answer, pushedOut] = replies[0] as [Answer<string[]>, string[]];
    this.#left?.giveUp(pushedOut);
    const session = this.#judge(answer, decodeRecord);
    if (session !== undefined) told?.(session);
    if (unconfirmed !== undefined) throw unconfirmed;
    return session;
  }

  #keys(handle: SessionHandle): [string, string] {
    return [sessionKey(this.#prefix, handle), gatewaySessionKey(this.#prefix, handle)];
  }
}

function foundNothing(reply: unknown): boolean {
  return Array.isArray(reply) && reply[2] === 0;
}

/** The session, nothing where there is none, or why what is there is no session. */
function judge<C, T extends SessionView>(
  answer: Answer<C>,
  decode: (content: C) => DecodedRecord<T>,
): T | string | undefined {
  if (answer[0] === 'absent') return undefined;
  if (answer[0] !== 'alive') return answer[0];
  const [, now, readerExpiresAt, content] = answer;
  const record = decode(content);
  if (record.outcome === 'corrupt') return record.field;
  const { session } = record;
  if (String(session.expiresAt) !== readerExpiresAt) return 'unequal';
  return session.expiresAt <= Number(now) ? 'overdue' : session;
}

type PartOutcome = 'stored' | 'conflict' | 'untouched';
type Answer<C> =
  | readonly ['absent' | 'half' | 'immortal' | 'wrong-type']
  | readonly ['alive', now: string, readerExpiresAt: string | null, content: C];
