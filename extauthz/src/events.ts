import { Counter, Gauge, type Logger, type Registry } from '@sallyport/shared/runtime';
import type { Decision } from './decision.js';
import { decisionLog } from './decision-log.js';
import { decisionMetrics } from './decision-metrics.js';
import { policyEvents, type PolicyEvents } from './policy-events.js';
import type { RequestFacts } from './request-facts.js';
import type { Transport } from './transport.js';

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
  /** Called once, at assembly. */
  readonly watchInFlight: (inFlight: () => number) => void;
  /** The service's certificate was read anew, or could not be. */
  readonly certificates: (error?: Error) => void;
  readonly redisError: (reason: string) => void;
  readonly corruptRecord: (field: string) => void;
}

export function createEvents(
  registry: Registry,
  logger: Logger,
  options: { logAllows: number },
): Events {
  const registers = [registry];
  const count = decisionMetrics(registry);
  const log = decisionLog({ logger, ...options, monotonic: () => performance.now() });
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
  const certificateLoads = new Counter({
    name: 'extauthz_certificate_loads_total',
    help: 'Readings of the TLS certificate, by outcome',
    labelNames: ['outcome'],
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
      if (decision.shadow !== undefined) policy.shadowed(decision.shadow);
      count(transport, decision, seconds);
      log(transport, facts, decision);
    },
    failed(transport, error) {
      failures.inc({ transport });
      logger.error({ err: error, transport }, 'check failed');
    },
    watchInFlight(inFlight) {
      new Gauge({
        name: 'extauthz_checks_in_flight',
        help: 'Checks that wait for the store',
        registers,
        collect() {
          this.set(inFlight());
        },
      });
    },
    certificates(error) {
      certificateLoads.inc({ outcome: error === undefined ? 'loaded' : 'failed' });
      if (error === undefined) logger.info('certificate loaded');
      else logger.error({ err: error }, 'the certificate cannot be used; the last good one stays');
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
