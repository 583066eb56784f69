import { systemClock, type Clock, type SessionHandle } from '@sallyport/shared';
import { Counter, Gauge, type Logger, type Registry, type Unit } from '@sallyport/shared/runtime';
import { newCorrelation, correlationFields, type Correlation } from '../correlation.js';
import { problemCodeOf } from '../http/problems.js';
import { pause } from '../sessions/refresh-worker.js';
import type { IdentityProvider } from './identity-provider.js';
import { asIdentityProviderError } from './identity-provider-error.js';
import { Lane } from './lane.js';
import type { LeftSession, LeftSessions, SpentSession } from './spent-session.js';
import type { TokenCipher } from './token-cipher.js';

export type { SpentSession } from './spent-session.js';

export interface TokenRevocationsOptions {
  readonly idps: ReadonlyMap<string, Pick<IdentityProvider, 'revoke'>>;
  readonly cipher: Pick<TokenCipher, 'open'>;
  readonly registry: Registry;
  readonly logger: Logger;
  /** Survives this process; left out: what it has not done when it dies is never done. */
  readonly left?: LeftSessions;
  /** What is to become of one that another process left, or that failed before. */
  readonly judge?: (session: LeftSession) => Promise<LeftVerdict>;
  readonly clock?: Clock;
  /** Before the second and the third attempt, ms. */
  readonly backOff?: readonly number[];
  /** Sessions of one provider that may wait here; 5000 if left out. */
  readonly limit?: number;
}

export type LeftVerdict = 'revoke' | 'later' | 'never';

export interface TokenRevocations extends Unit {
  /** Takes note and returns at once: nobody waits for the provider to end a session. */
  readonly add: (session: SpentSession, correlation?: Correlation) => void;
  /** Given up: too many, or too old. */
  readonly dropped: (count: number) => void;
}

/** How long the end of the process waits for what is left, ms. */
const patience = 5000;
/** Between two looks at what others have left, ms. */
const interval = 2000;
const claimedAtOnce = 20;
const [shortestRest, longestRest] = [60_000, 3_600_000];

/**
 * Ends at the provider what has ended here (RFC 7009): its refresh token may be in a stolen copy of
 * Redis. In the background, a few at a time, each tried three times; what fails, and what a process
 * that died had not done, is taken up again by any replica, less and less often, for a day.
 */
export function tokenRevocations(options: TokenRevocationsOptions): TokenRevocations {
  const { idps, cipher, registry, logger, left } = options;
  const { backOff = [1000, 5000], limit = 5000, clock = systemClock } = options;
  const judge = options.judge ?? (() => Promise.resolve('revoke' as const));
  const lanes = new Map([...idps.keys()].map((id): [string, Lane] => [id, new Lane()]));
  const everywhere = (): Promise<void>[] =>
    [...lanes.values()].flatMap(({ running }) => [...running]);
  /** Waiting or running here: its lease may be over before its turn has come. */
  const inHand = new Set<SessionHandle>();
  const stopping = new AbortController();
  let looking = Promise.resolve();
  const outcomes = new Counter({
    name: 'gateway_token_revocations_total',
    help: 'Refresh tokens of ended sessions: revoked at the provider, failed, unreadable, dropped',
    labelNames: ['outcome'],
    registers: [registry],
  });
  new Gauge({
    name: 'gateway_token_revocations_waiting',
    help: 'Ended sessions whose refresh token is still to be revoked at the provider',
    registers: [registry],
    collect() {
      this.set([...lanes.values()].reduce((sum, { size }) => sum + size, 0));
    },
  });

  const attempt = async (
    session: SpentSession,
    correlation: Correlation,
  ): Promise<'over' | 'later'> => {
    let token: string | undefined;
    try {
      token = (await cipher.open(session.sealedTokens, session.handle)).refreshToken;
    } catch (error) {
      outcomes.inc({ outcome: 'unreadable' });
      // Another replica may have the key (ATTACKS 32); a broken seal no key will mend.
      return (error as { code?: unknown }).code === 'unknown_seal_key' ? 'later' : 'over';
    }
    const idp = idps.get(session.idp);
    if (token === undefined || idp === undefined) return 'over';
    for (let failures = 0; ; failures += 1) {
      try {
        await idp.revoke(token, correlation);
        outcomes.inc({ outcome: 'revoked' });
        return 'over';
      } catch (error) {
        const isFinal = isFinalNo(error);
        const wait = isFinal ? undefined : backOff[failures];
        if (wait === undefined || stopping.signal.aborted) {
          outcomes.inc({ outcome: 'failed' });
          const why = { ...correlationFields(correlation), reason: problemCodeOf(error) };
          logger.warn(why, 'a refresh token could not be revoked');
          return isFinal ? 'over' : 'later';
        }
        await pause(wait * (0.75 + Math.random() / 2), stopping.signal);
      }
    }
  };

  /** The longer it has been tried in vain, the longer until the next time. */
  const restOf = (session: SpentSession | LeftSession): number => {
    const age = 'endedAt' in session ? clock() - session.endedAt * 1000 : 0;
    return Math.min(longestRest, Math.max(shortestRest, age / 2));
  };

  const settle = async (
    session: SpentSession | LeftSession,
    correlation: Correlation,
  ): Promise<void> => {
    const verdict = 'endedAt' in session ? await judge(session) : 'revoke';
    const fate = verdict === 'revoke' ? await attempt(session, correlation) : verdict;
    if (fate === 'later') await left?.postpone(session.handle, restOf(session));
    else await left?.done(session.handle);
  };

  /** @returns whether it will be seen to here */
  const enqueue = (
    session: SpentSession | LeftSession,
    correlation: Correlation = newCorrelation(),
  ): boolean => {
    const lane = lanes.get(session.idp);
    // Of a registration that is gone: nobody here knows where to ask.
    if (lane === undefined || lane.waiting >= limit) return false;
    if (inHand.has(session.handle)) return true;
    inHand.add(session.handle);
    lane.add(() =>
      settle(session, correlation)
        // Redis does not answer: its lease runs out.
        .catch(() => undefined)
        .finally(() => inHand.delete(session.handle)),
    );
    return true;
  };

  const takeUp = async (from: LeftSessions): Promise<void> => {
    for (const session of await from.claim(claimedAtOnce)) {
      if (!enqueue(session)) await from.postpone(session.handle, restOf(session));
    }
  };

  const look = async (from: LeftSessions): Promise<void> => {
    while (!stopping.signal.aborted) {
      await takeUp(from).catch(() => undefined);
      await pause(interval * (0.75 + Math.random() / 2), stopping.signal);
    }
  };

  return {
    name: 'token revocations',
    add: (session, correlation) => {
      const isTaken = !lanes.has(session.idp) || enqueue(session, correlation);
      if (!isTaken && left === undefined) outcomes.inc({ outcome: 'dropped' });
    },
    dropped: (count) => outcomes.inc({ outcome: 'dropped' }, count),
    start: () => {
      if (left !== undefined) looking = look(left);
      return Promise.resolve();
    },
    /** What waits is still tried, once, for as long as that may take. */
    stop: async () => {
      stopping.abort();
      await looking;
      const waiting = new AbortController();
      const late = pause(patience, waiting.signal).then(() => 'late' as const);
      while (everywhere().length > 0 && (await Promise.race([...everywhere(), late])) !== 'late');
      waiting.abort();
      for (const lane of lanes.values()) {
        const unbegun = lane.clear();
        if (left === undefined) outcomes.inc({ outcome: 'dropped' }, unbegun);
      }
    },
  };
}

/** It has understood, and will not do it, however often it is asked (RFC 7009 §2.2.1). */
function isFinalNo(error: unknown): boolean {
  return asIdentityProviderError(error).code === 'login_refused';
}
