import type { OwnerKind } from '@sallyport/shared';
import { Counter, Gauge, Histogram, type Logger, type Registry } from '@sallyport/shared/runtime';
import type { ProblemCode } from './http/problems.js';

export interface Answer {
  readonly method: string;
  /** The route's pattern, or `none`. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
  readonly reason: string | undefined;
}

/** Business events: a metric and a log line each; labels only from fixed sets (ATTACKS 33). */
export interface Events {
  answered(answer: Answer): void;
  loginStarted(idp: string): void;
  loginCompleted(idp: string): void;
  /** The callback belongs to no login of this browser: late, repeated, or somebody else's. */
  loginUnknown(): void;
  loginFailed(idp: string, reason: ProblemCode): void;
  loggedOut(hadSession: boolean): void;
  revocationFailed(reason: string): void;
  /** Sessions ended by somebody else than the browser that holds them. */
  revoked(kind: OwnerKind, cause: RevocationCause, ended: number): void;
  permissionsPushed(changed: number): void;
  corruptSession(reason: string): void;
  failed(reason: ProblemCode, error: unknown): void;
}

/** Who ended sessions: a service, the provider, their own user, or a replica that took over. */
export type RevocationCause = 'admin' | 'back_channel' | 'device' | 'resumed';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

export function createEvents(registry: Registry, logger: Logger): Events {
  const registers = [registry];
  const requests = new Histogram({
    name: 'gateway_request_seconds',
    help: 'Time from arrival to the end of the answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const logins = new Counter({
    name: 'gateway_logins_total',
    help: 'Logins by registration and stage: started, completed, unknown, or why it failed',
    labelNames: ['idp', 'outcome'],
    registers,
  });
  const logouts = new Counter({
    name: 'gateway_logouts_total',
    help: 'Logouts, by whether a session ended',
    labelNames: ['session'],
    registers,
  });
  const failures = new Counter({
    name: 'gateway_failures_total',
    help: 'Requests that ended in an error, by reason',
    labelNames: ['reason'],
    registers,
  });
  const revocationFailures = new Counter({
    name: 'gateway_token_revocation_failures_total',
    help: 'Refresh tokens that could not be revoked at the identity provider',
    registers,
  });
  const revocations = new Counter({
    name: 'gateway_revocations_total',
    help: 'Revocations of all sessions of a user, an account or a provider session, by cause',
    labelNames: ['kind', 'cause'],
    registers,
  });
  const revokedSessions = new Counter({
    name: 'gateway_revoked_sessions_total',
    help: 'Sessions ended by revocations',
    labelNames: ['cause'],
    registers,
  });
  const corrupt = new Counter({
    name: 'gateway_corrupt_sessions_total',
    help: 'Pairs of records that are there and no session, by reason',
    labelNames: ['reason'],
    registers,
  });
  new Gauge({
    name: 'gateway_process_start_time_seconds',
    help: 'Start of the process, epoch seconds',
    registers,
  }).setToCurrentTime();

  // Labels are looked up once: they are few, and a lookup sorts and joins them.
  const series = new Map<string, Histogram.Internal<string>>();
  const seriesOf = (method: string, route: string, status: number): Histogram.Internal<string> => {
    const key = `${method} ${route} ${status}`;
    const known = series.get(key);
    if (known !== undefined) return known;
    const labelled = requests.labels({ method, route, status: String(status) });
    series.set(key, labelled);
    return labelled;
  };

  return {
    answered({ method, route, status, seconds, reason }) {
      const knownMethod = methods.has(method) ? method : 'other';
      seriesOf(knownMethod, route, status).observe(seconds);
      const line = { method: knownMethod, route, status, ms: Math.round(seconds * 1000), reason };
      if (route === '/actuator/health') logger.debug(line, 'request');
      else logger.info(line, 'request');
    },
    loginStarted(idp) {
      logins.inc({ idp, outcome: 'started' });
    },
    loginCompleted(idp) {
      logins.inc({ idp, outcome: 'completed' });
      logger.info({ idp }, 'login completed');
    },
    loginUnknown() {
      logins.inc({ idp: 'other', outcome: 'unknown' });
      logger.info('callback without a login of this browser');
    },
    loginFailed(idp, reason) {
      logins.inc({ idp, outcome: reason });
    },
    loggedOut(hadSession) {
      logouts.inc({ session: hadSession ? 'ended' : 'none' });
      logger.info({ hadSession }, 'logged out');
    },
    revocationFailed(reason) {
      revocationFailures.inc();
      logger.warn({ reason }, 'a refresh token could not be revoked');
    },
    revoked(kind, cause, ended) {
      revocations.inc({ kind, cause });
      revokedSessions.inc({ cause }, ended);
      logger.info({ kind, cause, ended }, 'sessions revoked');
    },
    permissionsPushed(changed) {
      logger.info({ changed }, 'permissions of live sessions replaced');
    },
    corruptSession(reason) {
      corrupt.inc({ reason });
      logger.warn({ reason }, 'a session record is damaged; its owner is logged out');
    },
    failed(reason, error) {
      failures.inc({ reason });
      const { detail, cause } = error as { detail?: unknown; cause?: unknown };
      if (reason === 'internal' || reason === 'broken_seal') {
        logger.error({ reason, ...traceOf(error) }, 'request failed');
      } else if (!reason.startsWith('no')) {
        // Only words and codes: the messages of other people's errors may quote what we sent.
        logger.warn({ reason, detail, cause: codeOf(cause) }, 'request failed');
      }
    },
  };
}

function codeOf(error: unknown): string | undefined {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : undefined;
}

/** Where it happened, without the message: that of a parser quotes what it read. */
function traceOf(error: unknown): { name: string; at: string[] } {
  const { name, stack } = (error ?? {}) as { name?: unknown; stack?: unknown };
  return {
    name: typeof name === 'string' ? name : typeof error,
    at: String(stack)
      .split('\n')
      .filter((line) => line.startsWith('    at '))
      .map((line) => line.trim()),
  };
}
