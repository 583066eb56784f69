import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * What joins the lines and calls of one request, here and at whoever is asked because of it. Handed
 * on as an argument: AsyncLocalStorage hooks every promise of the process on Node 20, 7 % of what a
 * login costs (docs/performance.md). Whoever leaves it out writes lines that nothing joins.
 */
export interface Correlation {
  readonly requestId: string;
  /** W3C Trace Context §3.2.2.3, 32 hex digits. */
  readonly traceId: string;
  /** Our own part of the trace, named to whoever we ask; 16 hex digits. */
  readonly spanId: string;
  /** Two hex digits; only the sampled bit means something (§3.2.2.5). */
  readonly flags: string;
  readonly traceState?: string;
}

export function newCorrelation(requestId: string = randomUUID()): Correlation {
  return { requestId, traceId: randomUUID().replaceAll('-', ''), spanId: newSpanId(), flags: '00' };
}

/** Longer or of other characters it would only serve to write something into our logs. */
const requestIdGrammar = /^[A-Za-z0-9._~:@+/=-]{1,64}$/;
const traceParentGrammar = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** §3.3.1.5: what is longer may be left out. */
const traceStateGrammar = /^[\x20-\x7e]{1,512}$/;

/** What the caller says, where it is well-formed; made here where it is not, or says nothing. */
export function correlationOf(headers: IncomingHttpHeaders): Correlation {
  const { traceparent, tracestate } = headers;
  const requestId = headers['x-request-id'];
  const known =
    typeof requestId === 'string' && requestIdGrammar.test(requestId) ? requestId : randomUUID();
  const trace = traceOf(traceparent);
  if (trace === undefined) return newCorrelation(known);
  const keepsState = typeof tracestate === 'string' && traceStateGrammar.test(tracestate);
  return {
    requestId: known,
    ...trace,
    spanId: newSpanId(),
    ...(keepsState ? { traceState: tracestate } : {}),
  };
}

/** For a call to somebody else because of this; none where nothing is being done for anybody. */
export function correlationHeaders(
  correlation: Correlation | undefined,
): Readonly<Record<string, string>> {
  if (correlation === undefined) return {};
  const { requestId, traceId, spanId, flags, traceState } = correlation;
  return {
    'x-request-id': requestId,
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    ...(traceState === undefined ? {} : { tracestate: traceState }),
  };
}

/** For log lines and audit events. */
export function correlationFields(correlation: Correlation | undefined): {
  requestId?: string;
  traceId?: string;
} {
  if (correlation === undefined) return {};
  return { requestId: correlation.requestId, traceId: correlation.traceId };
}

/** A later version may have more behind the flags; version 00 may not, and ff is none (§3.2.2). */
function traceOf(header: unknown): Pick<Correlation, 'traceId' | 'flags'> | undefined {
  if (typeof header !== 'string' || header.length > 512) return undefined;
  const [, version, traceId, parentId, flags, more] = traceParentGrammar.exec(header) ?? [];
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, flags: Number.parseInt(flags, 16) & 1 ? '01' : '00' };
}

/** The 64 bits of a UUID that are all random (RFC 9562 §5.4); Node keeps a stock of them. */
function newSpanId(): string {
  const uuid = randomUUID();
  return uuid.slice(0, 8) + uuid.slice(28);
}
