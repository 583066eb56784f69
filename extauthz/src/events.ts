import { Counter, Gauge, Histogram, type Logger, type Registry } from '@sallyport/shared/runtime';
import { denyReasons, type Decision } from './decision.js';
import { policyEvents, type PolicyEvents } from './policy-events.js';
import type { RequestFacts } from './request-facts.js';

export type Transport = 'http' | 'grpc';

/** Business events: a metric and a log line each, labels only from fixed sets. */
export interface Events {
  readonly policy: PolicyEvents;
  /** @param seconds from arrival to decision */
  readonly decided: (
    transport: Transport,
    facts: RequestFacts,
    decision: Decision,
    seconds: number,
  ) => void;
  /** The check failed inside this service. */
  readonly failed: (transport: Transport, error: unknown) => void;
  readonly redisError: (reason: string) => void;
  readonly corruptRecord: (field: string) => void;
}

const maxLoggedPath = 256;

export function createEvents(registry: Registry, logger: Logger): Events {
  const registers = [registry];
  const decisions = new Counter({
    name: 'extauthz_decisions_total',
    help: 'Decisions by outcome, reason and transport',
    labelNames: ['outcome', 'reason', 'transport'],
    registers,
  });
  const duration = new Histogram({
    name: 'extauthz_decision_seconds',
    help: 'Time from arrival to decision',
    labelNames: ['transport'],
    buckets: [
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5,
    ],
    registers,
  });
  const redisErrors = new Counter({
    name: 'extauthz_redis_errors_total',
    help: 'Reads that gave no answer, by reason',
    labelNames: ['reason'],
    registers,
  });
  const corrupt = new Counter({
    name: 'extauthz_corrupt_records_total',
    help: 'Session hashes that are not of our making, by field',
    labelNames: ['field'],
    registers,
  });
  const failures = new Counter({
    name: 'extauthz_failures_total',
    help: 'Checks that failed inside the service',
    labelNames: ['transport'],
    registers,
  });
  new Gauge({
    name: 'extauthz_process_start_time_seconds',
    help: 'Start of the process, epoch seconds',
    registers,
  }).setToCurrentTime();

  const policy = policyEvents(registry, logger);

  return {
    policy,
    decided(transport, facts, decision, seconds) {
      const reason = decision.outcome === 'allow' ? decision.basis : decision.reason;
      decisions.inc({ outcome: decision.outcome, reason, transport });
      duration.observe({ transport }, seconds);
      if (decision.shadow !== undefined) policy.shadowed(decision.shadow);
      if (decision.outcome === 'allow') return;
      logger.info(
        {
          reason: decision.reason,
          rule: decision.rule,
          status: denyReasons[decision.reason].status,
          method: facts.method.slice(0, 16),
          path: facts.path.slice(0, maxLoggedPath),
          requestId: facts.requestId?.slice(0, 64),
          traceparent: facts.headers.traceparent?.slice(0, 64),
          transport,
        },
        'denied',
      );
    },
    failed(transport, error) {
      failures.inc({ transport });
      logger.error({ err: error, transport }, 'check failed');
    },
    redisError(reason) {
      redisErrors.inc({ reason });
    },
    corruptRecord(field) {
      corrupt.inc({ field });
      logger.warn({ field }, 'a session hash is damaged; its owner is denied');
    },
  };
}
