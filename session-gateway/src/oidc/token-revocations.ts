import type { SessionHandle } from '@sallyport/shared';
import { Counter, Gauge, type Logger, type Registry, type Unit } from '@sallyport/shared/runtime';
import { newCorrelation, withCorrelation, currentCorrelation } from '../correlation.js';
import { problemCodeOf } from '../http/problems.js';
import { pause } from '../sessions/refresh-worker.js';
import type { IdentityProvider } from './identity-provider.js';
import type { TokenCipher } from './token-cipher.js';

/** What is left of a session that has ended: its tokens, still sealed. */
export interface SpentSession {
  readonly handle: SessionHandle;
  readonly idp: string;
  readonly sealedTokens: string;
}

export interface TokenRevocationsOptions {
  readonly idps: ReadonlyMap<string, Pick<IdentityProvider, 'revoke'>>;
  readonly cipher: Pick<TokenCipher, 'open'>;
  readonly registry: Registry;
  readonly logger: Logger;
  /** Before the second and the third attempt, ms. */
  readonly backOff?: readonly number[];
  /** Sessions of one provider that may wait; 5000 if left out. */
  readonly limit?: number;
}

export interface TokenRevocations extends Unit {
  /** Takes note and returns at once: nobody waits for the provider to end a session. */
  readonly add: (session: SpentSession) => void;
}

/** For each provider its own: one that is silent must not hold up the others. */
const atOnce = 4;

interface Lane {
  readonly queue: (() => Promise<void>)[];
  readonly running: Set<Promise<void>>;
}
/** How long the end of the process waits for what is left, ms. */
const patience = 5000;

/**
 * Ends at the provider what has ended here (RFC 7009): its refresh token may be in a stolen copy of
 * Redis. In the background, a few at a time, each tried three times. Not durable: what a process that
 * dies has not done is left to the token's own expiry, and what does not fit is dropped and counted.
 */
export function tokenRevocations(options: TokenRevocationsOptions): TokenRevocations {
  const { idps, cipher, registry, logger } = options;
  const { backOff = [1000, 5000], limit = 5000 } = options;
  const lanes = new Map([...idps.keys()].map((id): [string, Lane] => [id, newLane()]));
  const everywhere = (): Promise<void>[] =>
    [...lanes.values()].flatMap((lane) => [...lane.running]);
  const stopping = new AbortController();
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
      this.set(
        [...lanes.values()].reduce((sum, one) => sum + one.queue.length + one.running.size, 0),
      );
    },
  });

  const attempt = async (session: SpentSession): Promise<void> => {
    let token: string | undefined;
    try {
      token = (await cipher.open(session.sealedTokens, session.handle)).refreshToken;
    } catch {
      outcomes.inc({ outcome: 'unreadable' });
      return;
    }
    const idp = idps.get(session.idp);
    if (token === undefined || idp === undefined) return;
    for (let failures = 0; ; failures += 1) {
      try {
        await idp.revoke(token);
        outcomes.inc({ outcome: 'revoked' });
        return;
      } catch (error) {
        const wait = backOff[failures];
        if (wait === undefined || stopping.signal.aborted) {
          outcomes.inc({ outcome: 'failed' });
          logger.warn({ reason: problemCodeOf(error) }, 'a refresh token could not be revoked');
          return;
        }
        await pause(wait * (0.75 + Math.random() / 2), stopping.signal);
      }
    }
  };

  const next = ({ queue, running }: Lane): void => {
    while (running.size < atOnce) {
      const begin = queue.shift();
      if (begin === undefined) return;
      const work = begin().finally(() => {
        running.delete(work);
        next({ queue, running });
      });
      running.add(work);
    }
  };

  return {
    name: 'token revocations',
    add: (session) => {
      const lane = lanes.get(session.idp);
      // Of a registration that is gone: nobody knows where to ask.
      if (lane === undefined) return;
      if (lane.queue.length >= limit) {
        outcomes.inc({ outcome: 'dropped' });
        return;
      }
      const correlation = currentCorrelation() ?? newCorrelation();
      lane.queue.push(() => withCorrelation(correlation, () => attempt(session)));
      next(lane);
    },
    start: () => Promise.resolve(),
    /** What waits is still tried, once, for as long as that may take. */
    stop: async () => {
      stopping.abort();
      const waiting = new AbortController();
      const late = pause(patience, waiting.signal).then(() => 'late' as const);
      while (everywhere().length > 0 && (await Promise.race([...everywhere(), late])) !== 'late');
      waiting.abort();
      for (const { queue } of lanes.values()) {
        outcomes.inc({ outcome: 'dropped' }, queue.length);
        queue.length = 0;
      }
    },
  };
}

function newLane(): Lane {
  return { queue: [], running: new Set() };
}
