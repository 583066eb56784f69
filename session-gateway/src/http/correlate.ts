import type { RequestHandler } from 'express';
import { correlationOf, withCorrelation } from '../correlation.js';

/** First of all: whatever a request causes carries its ids, and so does the answer. */
export const correlate: RequestHandler = (request, response, next) => {
  const correlation = correlationOf(request.headers);
  response.set('X-Request-Id', correlation.requestId);
  withCorrelation(correlation, next);
};
