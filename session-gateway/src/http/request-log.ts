import type { RequestHandler } from 'express';
import { underThisCorrelation } from '../correlation.js';
import type { Events } from '../events.js';

/**
 * One line and one observation per request: method, route pattern, status, time, reason. Never the
 * path, the query, a cookie or an id: on the callback they are credentials.
 */
export function requestLog(events: Pick<Events, 'answered'>): RequestHandler {
  return (request, response, next) => {
    const arrived = performance.now();
    const answered = underThisCorrelation(() => {
      events.answered({
        method: request.method,
        route: (request.route as { path?: string } | undefined)?.path ?? 'none',
        status: response.writableFinished ? response.statusCode : 499,
        seconds: (performance.now() - arrived) / 1000,
        reason: response.locals['reason'] as string | undefined,
      });
    });
    response.once('close', answered);
    next();
  };
}
