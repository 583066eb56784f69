import type { Logger } from '@sallyport/shared/runtime';
import { denyReasons, type Decision, type DenyReason } from './decision.js';
import type { Transport } from './transport.js';
import type { RequestFacts } from './request-facts.js';

const maxLoggedPath = 256;
const window = 1000;
const maxDenialsPerWindow = 20;

/**
 * Denials by reason, at most so many a second: a flood of bad requests must not become a flood of
 * lines. What was left out is counted in a line of its own. Allows one in `logAllows`, 0 for none.
 */
export function decisionLog(options: {
  logger: Logger;
  logAllows: number;
  /** Monotonic, ms. */
  monotonic: () => number;
}): (transport: Transport, facts: RequestFacts, decision: Decision) => void {
  const { logger, logAllows, monotonic } = options;
  let allows = 0;
  let windowEnd = 0;
  let written: Partial<Record<DenyReason, number>> = {};
  let reporter: NodeJS.Timeout | undefined;

  const report = (): void => {
    reporter = undefined;
    for (const [reason, count = 0] of Object.entries(written)) {
      const suppressed = count - maxDenialsPerWindow;
      if (suppressed > 0) logger.warn({ reason, suppressed }, 'denials not logged one by one');
    }
    written = {};
  };

  const mayWrite = (reason: DenyReason): boolean => {
    const now = monotonic();
    if (now >= windowEnd) {
      clearTimeout(reporter);
      report();
      windowEnd = now + window;
    }
    const count = (written[reason] ?? 0) + 1;
    written[reason] = count;
    if (count > maxDenialsPerWindow) reporter ??= setTimeout(report, windowEnd - now).unref();
    return count <= maxDenialsPerWindow;
  };

  return (transport, facts, decision) => {
    if (decision.outcome === 'allow') {
      if (logAllows === 0) return;
      allows += 1;
      if (allows < logAllows) return;
      allows = 0;
      logger.info({ rule: decision.rule, ...request(facts), transport }, 'allowed');
      return;
    }
    const { reason } = decision;
    if (!mayWrite(reason)) return;
    const { status } = denyReasons[reason];
    logger.info({ reason, rule: decision.rule, status, ...request(facts), transport }, 'denied');
  };
}

function request(facts: RequestFacts): object {
  return {
    method: facts.method.slice(0, 16),
    path: facts.path.slice(0, maxLoggedPath),
    requestId: facts.requestId?.slice(0, 64),
    traceId: traceId(facts.headers.traceparent),
  };
}

/** W3C Trace Context §3.2.2: version, trace-id, parent-id, flags. */
function traceId(traceparent: string | undefined): string | undefined {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? '')?.[1];
}
