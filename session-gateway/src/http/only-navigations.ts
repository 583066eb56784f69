import type { RequestHandler } from 'express';
import { RefusedError } from './refused-error.js';
import { originOf } from './request-facts.js';
import { mayBeTopLevelNavigation } from './same-origin.js';

/**
 * For the start and the callback of a login: nothing for images, frames, scripts and prefetches, nor
 * for HEAD, by which a mail scanner looks at links. Before the rate limits: a foreign page full of
 * images must not use up what its visitor's address may ask (ATTACKS 25).
 */
export function onlyNavigations(): RequestHandler {
  return (request, _response, next) => {
    if (request.method === 'HEAD' || !mayBeTopLevelNavigation(originOf(request))) {
      throw new RefusedError('not_a_navigation');
    }
    next();
  };
}
