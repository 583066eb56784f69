import type { SessionHandle } from '@sallyport/shared';
import { Counter, Gauge, Histogram, type Logger, type Registry } from '@sallyport/shared/runtime';
import type { AuditEvent } from './audit/audit-event.js';
import { auditRef, type AuditLog } from './audit/audit-log.js';
import { correlationFields, type Correlation } from './correlation.js';
import type { ProblemCode } from './http/problems.js';
import { labelled } from './labelled.js';
import { idpFailureClass } from './oidc/idp-failure-class.js';
import type { ClosedSession, Device } from './sessions/session-lifecycle.js';

export interface Answer {
  readonly method: string;
  /** The route's pattern, or `none`. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
  readonly reason: string | undefined;
}

/**
 * Business events: metric, log line and audit event; labels only from fixed sets (ATTACKS 33). The
 * last argument joins them to the request that caused them.
 */
export interface Events {
  answered(answer: Answer, correlation?: Correlation): void;
  loginStarted(idp: string): void;
  /** The browser came back for a login that it had begun. */
  loginReturned(idp: string): void;
  loginCompleted(idp: string, who: LoggedIn, correlation?: Correlation): void;
  /** The callback belongs to no login of this browser: late, repeated, or somebody else's. */
  loginUnknown(correlation?: Correlation): void;
  /** At its start or at its callback. */
  loginFailed(idp: string, reason: ProblemCode, error: unknown, correlation?: Correlation): void;
  loggedOut(closed: readonly ClosedSession[], correlation?: Correlation): void;
  /** Sessions ended by somebody else than the browser that holds them. */
  revoked(revocation: Revocation, correlation?: Correlation): void;
  adminDone(
    admin: Omit<Extract<AuditEvent, { event: 'admin' }>, 'event'>,
    correlation?: Correlation,
  ): void;
  permissionsPushed(changed: number, correlation?: Correlation): void;
  corruptSession(reason: string): void;
  failed(reason: ProblemCode, error: unknown, correlation?: Correlation): void;
}

/** A person who has just logged in. */
export interface LoggedIn {
  readonly userId: string;
  readonly handle: SessionHandle;
  readonly device: Device;
}

/** Who ended which sessions; `cause`: a service, the provider, their own user, a later login … */
export type Revocation = Pick<
  Extract<AuditEvent, { event: 'revoke' }>,
  'kind' | 'cause' | 'ended' | 'userId' | 'idp'
> & { readonly handle?: SessionHandle };

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

export function createEvents(registry: Registry, logger: Logger, audit: AuditLog): Events {
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
    help: 'Logins by registration and stage: started, returned, completed, unknown, or why it failed',
    labelNames: ['idp', 'outcome'],
    registers,
  });
  const loginFailures = new Counter({
    name: 'gateway_login_failures_total',
    help: 'Logins that failed, by registration and class: what the identity provider did, or our own reason',
    labelNames: ['idp', 'class'],
    registers,
  });
  const rateLimited = new Counter({
    name: 'gateway_rate_limited_total',
    help: 'Requests answered 429, by route',
    labelNames: ['route'],
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

  const requestsOf = labelled((method, route, status) => requests.labels(method, route, status));
  const loginsOf = labelled((idp, outcome) => logins.labels(idp, outcome));

  return {
    answered({ method, route, status, seconds, reason }, correlation) {
      const knownMethod = methods.has(method) ? method : 'other';
      requestsOf(knownMethod, route, String(status)).observe(seconds);
      if (status === 429) rateLimited.inc({ route });
      const ids = correlationFields(correlation);
      const ms = Math.round(seconds * 1000);
      const line = { ...ids, method: knownMethod, route, status, ms, reason };
      if (route === '/actuator/health') logger.debug(line, 'request');
      else logger.info(line, 'request');
    },
    loginStarted(idp) {
      loginsOf(idp, 'started').inc();
    },
    loginReturned(idp) {
      loginsOf(idp, 'returned').inc();
    },
    loginCompleted(idp, { userId, handle, device }, correlation) {
      loginsOf(idp, 'completed').inc();
      logger.info({ ...correlationFields(correlation), idp }, 'login completed');
      const { deviceHint, ipPrefix } = device;
      const login = {
        event: 'login' as const,
        outcome: 'success' as const,
        idp,
        userId,
        session: auditRef(handle),
        ...(deviceHint === undefined ? {} : { device: deviceHint }),
        ...(ipPrefix === undefined ? {} : { ipPrefix }),
      };
      audit.write(login, correlation);
    },
    loginUnknown(correlation) {
      logins.inc({ idp: 'other', outcome: 'unknown' });
      logger.info(correlationFields(correlation), 'callback without a login of this browser');
    },
    loginFailed(idp, reason, error, correlation) {
      logins.inc({ idp, outcome: reason });
      const failure = { class: idpFailureClass(error) ?? reason, reason };
      loginFailures.inc({ idp, class: failure.class });
      audit.write({ event: 'login', outcome: 'failure', idp, ...failure }, correlation);
    },
    loggedOut(closed, correlation) {
      const hadSession = closed.length > 0;
      logouts.inc({ session: hadSession ? 'ended' : 'none' });
      logger.info({ ...correlationFields(correlation), hadSession }, 'logged out');
      for (const { idp, userId, handle } of closed) {
        const session = auditRef(handle);
        audit.write({ event: 'logout', outcome: 'success', idp, userId, session }, correlation);
      }
    },
    revoked({ handle, ...revocation }, correlation) {
      const { kind, cause, ended } = revocation;
      revocations.inc({ kind, cause });
      revokedSessions.inc({ cause }, ended);
      logger.info({ ...correlationFields(correlation), kind, cause, ended }, 'sessions revoked');
      const session = handle === undefined ? {} : { session: auditRef(handle) };
      audit.write({ event: 'revoke', outcome: 'success', ...revocation, ...session }, correlation);
    },
    adminDone(admin, correlation) {
      audit.write({ event: 'admin', ...admin }, correlation);
    },
    permissionsPushed(changed, correlation) {
      logger.info(
        { ...correlationFields(correlation), changed },
        'permissions of live sessions replaced',
      );
    },
    corruptSession(reason) {
      corrupt.inc({ reason });
      logger.warn({ reason }, 'a session record is damaged; its owner is logged out');
    },
    failed(reason, error, correlation) {
      failures.inc({ reason });
      const ids = correlationFields(correlation);
      const { detail, cause, explanation } = error as Readonly<Record<string, unknown>>;
      if (reason === 'internal' || reason === 'broken_seal') {
        logger.error({ ...ids, reason, ...traceOf(error) }, 'request failed');
      } else if (!reason.startsWith('no')) {
        // Only words and codes: the messages of other people's errors may quote what we sent.
        logger.warn(
          {
            ...ids,
            reason,
            class: idpFailureClass(error),
            detail,
            cause: codeOf(cause),
            explanation,
          },
          'request failed',
        );
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
