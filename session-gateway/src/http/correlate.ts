import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { correlationOf, type Correlation } from '../correlation.js';

type Headed = Pick<IncomingMessage, 'headers'>;

const correlations = new WeakMap<Headed, Correlation>();

/** That of a request which has been begun; undefined where nobody has. */
export function correlationOfRequest(request: Headed): Correlation | undefined {
  return correlations.get(request);
}

/** The same one however often it is asked: what was done so far has been told under it. */
export function beginCorrelation(request: Headed): Correlation {
  const known = correlations.get(request);
  if (known !== undefined) return known;
  const correlation = correlationOf(request.headers);
  correlations.set(request, correlation);
  return correlation;
}

/** First of all: whatever a request causes carries its ids, and so does the answer. */
export const correlate: RequestHandler = (request, response, next) => {
  response.set('X-Request-Id', beginCorrelation(request).requestId);
  next();
};
