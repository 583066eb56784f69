import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { underThisCorrelation } from '../correlation.js';
import type { Events } from '../events.js';

/**
 * One line and one observation per request: method, route pattern, status, time, reason. Never the
 * path, the query, a cookie or an id: on the callback they are credentials.
 */
export function requestLog(events: Pick<Events, 'answered'>): RequestHandler {
  return (request, response, next) => {
    logAnswer(events, {
      method: request.method,
      route: () => (request.route as { path?: string } | undefined)?.path ?? 'none',
      response,
      arrived: performance.now(),
      reason: () => response.locals['reason'] as string | undefined,
    });
    next();
  };
}

/** Says so once the answer is over, under the correlation of now. */
export function logAnswer(
  events: Pick<Events, 'answered'>,
  what: {
    readonly method: string;
    readonly route: () => string;
    readonly response: ServerResponse;
    /** By performance.now(). */
    readonly arrived: number;
    readonly reason?: () => string | undefined;
  },
): void {
  const { method, route, response, arrived, reason } = what;
  const answered = underThisCorrelation(() => {
    events.answered({
      method,
      route: route(),
      status: response.writableFinished ? response.statusCode : 499,
      seconds: (performance.now() - arrived) / 1000,
      reason: reason?.(),
    });
  });
  response.once('close', answered);
}
