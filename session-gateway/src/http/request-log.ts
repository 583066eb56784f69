import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Correlation } from '../correlation.js';
import type { Events } from '../events.js';
import { correlationOfRequest } from './correlate.js';

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
      correlation: correlationOfRequest(request),
    });
    next();
  };
}

/** Says so once the answer is over. */
export function logAnswer(
  events: Pick<Events, 'answered'>,
  what: {
    readonly method: string;
    readonly route: () => string;
    readonly response: ServerResponse;
    /** By performance.now(). */
    readonly arrived: number;
    readonly reason?: () => string | undefined;
    readonly correlation: Correlation | undefined;
  },
): void {
  const { method, route, response, arrived, reason, correlation } = what;
  response.once('close', () => {
    const answer = {
      method,
      route: route(),
      status: response.writableFinished ? response.statusCode : 499,
      seconds: (performance.now() - arrived) / 1000,
      reason: reason?.(),
    };
    events.answered(answer, correlation);
  });
}
