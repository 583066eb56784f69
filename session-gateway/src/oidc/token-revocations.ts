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
  /** Sessions that may wait; 5000 if left out. */
  readonly limit?: number;
}

export interface TokenRevocations extends Unit {
  /** Takes note and returns at once: nobody waits for the provider to end a session. */
  readonly add: (session: SpentSession) => void;
}

const atOnce = 4;
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
  const queue: (() => Promise<void>)[] = [];
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
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
      this.set(queue.length + running.size);
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

  const next = (): void => {
    while (running.size < atOnce) {
      const begin = queue.shift();
      if (begin === undefined) return;
      const work = begin().finally(() => {
        running.delete(work);
        next();
      });
      running.add(work);
    }
  };

  return {
    name: 'token revocations',
    add: (session) => {
      if (queue.length >= limit) {
        outcomes.inc({ outcome: 'dropped' });
        return;
      }
      const correlation = currentCorrelation() ?? newCorrelation();
      queue.push(() => withCorrelation(correlation, () => attempt(session)));
      next();
    },
    start: () => Promise.resolve(),
    /** What waits is still tried, once, for as long as that may take. */
    stop: async () => {
      stopping.abort();
      const waiting = new AbortController();
      const late = pause(patience, waiting.signal).then(() => 'late' as const);
      while (running.size > 0 && (await Promise.race([...running, late])) !== 'late');
      waiting.abort();
      outcomes.inc({ outcome: 'dropped' }, queue.length);
      queue.length = 0;
    },
  };
}
