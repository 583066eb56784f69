import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Express, RequestHandler } from 'express';
import type { Events } from '../events.js';
import { beginCorrelation } from './correlate.js';
import { logAnswer } from './request-log.js';
import type { HeaderPairs } from './security-headers.js';

/** The answer to a question about the caller's session. @throws RefusedError and what the store throws */
export type SessionRead = (request: Pick<IncomingMessage, 'headers'>) => Promise<object>;

export interface SessionReadsOptions {
  /** By exact path; a query, another method or another spelling is express's. */
  readonly reads: ReadonlyMap<string, SessionRead>;
  readonly events: Pick<Events, 'answered' | 'failed'>;
  readonly headers: HeaderPairs;
  readonly app: Express;
}

interface Failed {
  readonly route: string;
  readonly error: unknown;
}

const failures = new WeakMap<IncomingMessage, Failed>();

/**
 * What every open tab asks all the time, past express: its router and its view of a request cost more
 * than the answer. Only what succeeds ends here. What fails is told by express, which has the same
 * routes: {@link takeOver} brings the error to its handler. A test holds both ways to one answer.
 */
export function sessionReads(options: SessionReadsOptions): RequestListener {
  const { reads, app } = options;
  const parts = { events: options.events, app, headers: options.headers.flat() };
  return (request, response) => {
    const route = request.url ?? '';
    const read = request.method === 'GET' ? reads.get(route) : undefined;
    if (read === undefined) app(request, response);
    else answerRead(parts, { request, response, route, read });
  };
}

/** To stand behind what every answer of express gets: answers a read that has failed already. */
export const takeOver: RequestHandler = (request, _response, next) => {
  const failed = failures.get(request);
  if (failed === undefined) {
    next();
    return;
  }
  // The label of the log and of the metric.
  (request as { route?: unknown }).route = { path: failed.route };
  next(failed.error);
};

function answerRead(
  { events, headers, app }: Pick<SessionReadsOptions, 'events' | 'app'> & { headers: string[] },
  asked: { request: IncomingMessage; response: ServerResponse; route: string; read: SessionRead },
): void {
  const { request, response, route, read } = asked;
  const arrived = performance.now();
  const correlation = beginCorrelation(request);
  const send = (content: object): void => {
    const text = JSON.stringify(content);
    logAnswer(events, { method: 'GET', route: () => route, response, arrived, correlation });
    response.writeHead(200, [
      'X-Request-Id',
      correlation.requestId,
      ...headers,
      'Content-Type',
      'application/json; charset=utf-8',
      'Content-Length',
      String(Buffer.byteLength(text)),
    ]);
    response.end(text);
  };
  const handOver = (error: unknown): void => {
    failures.set(request, { route, error });
    app(request, response);
  };
  read(request)
    .then(send, handOver)
    // A fault of ours in telling: nobody else would catch it, and the process would end.
    .catch((error: unknown) => {
      events.failed('internal', error, correlation);
      response.destroy();
    });
}
