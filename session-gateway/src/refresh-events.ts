import type { SessionHandle } from '@sallyport/shared';
import { Counter, Gauge, type Logger, type Registry } from '@sallyport/shared/runtime';
import { auditRef, type AuditLog } from './audit/audit-log.js';
import { correlationFields, type Correlation } from './correlation.js';
import type { StoredSession } from './sessions/session-store.js';

/** Whose refresh it was. */
export interface Refreshed {
  readonly handle: SessionHandle;
  readonly session: Pick<StoredSession, 'profile' | 'grants'>;
}

/** How a session that was due came off. */
export interface Finished {
  /** Who found it due. */
  readonly by: 'request' | 'worker';
  readonly outcome: string;
  readonly reason: string | undefined;
  readonly of: Refreshed | undefined;
}

/** What happens to sessions between login and logout. Labels only from fixed sets (ATTACKS 33). */
export interface RefreshEvents {
  finished(what: Finished, correlation?: Correlation): void;
  /** A refresh token goes to the identity provider. */
  tokenSent(isRetry: boolean, correlation?: Correlation): void;
  /** The session was gone when its new tokens came: they were revoked. */
  orphanRevoked(): void;
  /** New tokens, and the session has others already. */
  tokensConflicted(): void;
  /** New tokens that could not be stored: the old one is tried once more. */
  tokensLost(correlation?: Correlation): void;
  permissionsFetched(outcome: 'ok' | 'unavailable' | 'contract' | 'other_user'): void;
  activityHandled(outcome: 'slid' | 'gone' | 'ignored', count: number): void;
  activityClaimed(count: number): void;
  activityStream(done: 'made' | 'rebuilt'): void;
  /** How long the session that the worker has just claimed had been due at most, seconds. */
  workerLate(seconds: number): void;
  /** Whether the worker asks it with all its places, or with one only. */
  readonly providerHeard: (idp: string, state: 'silent' | 'answering') => void;
  /** It works again: the next failure is told. */
  backgroundWorked(what: 'worker' | 'activity'): void;
  backgroundFailed(what: 'worker' | 'activity', error: unknown): void;
}

/** Nothing failed: somebody else is at it, or was a moment ago; or the provider was left alone. */
const notNow = new Set(['busy', 'resting', 'spared']);

export function createRefreshEvents(
  registry: Registry,
  logger: Logger,
  audit: AuditLog,
): RefreshEvents {
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const refreshes = counter('gateway_refreshes_total', 'Sessions that were due, by outcome', [
    'by',
    'outcome',
  ]);
  const sent = counter(
    'gateway_refresh_tokens_sent_total',
    'Refresh tokens sent to the identity provider; retry: after a use whose outcome nobody knows',
    ['use'],
  );
  const accidents = counter(
    'gateway_refresh_accidents_total',
    'New tokens that found no session, another refresh’s tokens, or no store',
    ['kind'],
  );
  const permissions = counter(
    'gateway_permission_fetches_total',
    'Permissions asked for again, by outcome',
    ['outcome'],
  );
  const activity = counter(
    'gateway_activity_events_total',
    'Reports that a session is in use, by what became of them',
    ['outcome'],
  );
  const streams = counter(
    'gateway_activity_stream_repairs_total',
    'Times the activity stream was made, or rebuilt because its last id lay in the future',
    ['kind'],
  );
  const background = counter(
    'gateway_background_failures_total',
    'Rounds of background work that failed',
    ['what'],
  );
  const late = gauge(
    'gateway_refresh_late_seconds',
    'How far behind its own plan the refresh worker is',
  );
  const silent = gauge(
    'gateway_idp_silent',
    '1 while the refresh worker asks a provider one session at a time, since it does not answer',
    ['idp'],
  );
  const quiet = { worker: new Set<string>(), activity: new Set<string>() };
  return {
    finished({ by, outcome, reason, of }, correlation) {
      const ids = correlationFields(correlation);
      refreshes.inc({ by, outcome: reason ?? outcome });
      if (outcome === 'ended') {
        logger.info({ ...ids, reason }, 'session ended at the identity provider');
      } else if (outcome === 'kept' && !notNow.has(reason ?? '')) {
        logger.warn({ ...ids, reason }, 'refresh put off, session kept');
      }
      if (of === undefined || reason === undefined || notNow.has(reason)) return;
      const { profile, grants } = of.session;
      const failure = {
        event: 'refresh' as const,
        outcome: 'failure' as const,
        idp: profile.idp,
        userId: grants.userId,
        session: auditRef(of.handle),
        reason,
        ended: outcome === 'ended',
      };
      audit.write(failure, correlation);
    },
    tokenSent(isRetry, correlation) {
      sent.inc({ use: isRetry ? 'retry' : 'first' });
      if (!isRetry) return;
      const ids = correlationFields(correlation);
      logger.warn(ids, 'a refresh token of unknown fate is tried once more');
    },
    orphanRevoked: () => accidents.inc({ kind: 'session_gone' }),
    tokensConflicted: () => accidents.inc({ kind: 'conflict' }),
    tokensLost(correlation) {
      accidents.inc({ kind: 'not_stored' });
      logger.error(correlationFields(correlation), 'new tokens could not be stored');
    },
    permissionsFetched: (outcome) => permissions.inc({ outcome }),
    activityHandled(outcome, count) {
      if (count > 0) activity.inc({ outcome }, count);
    },
    activityClaimed(count) {
      if (count > 0) activity.inc({ outcome: 'claimed' }, count);
    },
    activityStream(done) {
      streams.inc({ kind: done });
      if (done === 'rebuilt') logger.error('the activity stream was unusable and has been rebuilt');
      else logger.info('activity stream: ready');
    },
    workerLate: (seconds) => late.set(seconds),
    providerHeard(idp, state) {
      silent.set({ idp }, state === 'silent' ? 1 : 0);
      if (state === 'silent') {
        logger.warn(
          { idp },
          'the provider does not answer: one session at a time is refreshed there',
        );
      } else logger.info({ idp }, 'the provider answers again');
    },
    backgroundWorked: (what) => quiet[what].clear(),
    backgroundFailed(what, error) {
      background.inc({ what });
      // Once per reason and outage: in one every round fails.
      const reason = (error as { code?: string }).code ?? (error as Error).name;
      if (quiet[what].has(reason)) return;
      quiet[what].add(reason);
      logger.warn({ what, reason }, 'background work failed, going on');
    },
  };
}
