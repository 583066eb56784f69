import type { RequestHandler } from 'express';

/** One handler that is all of these, one after the other; the first error ends it. */
export function inTurn(...handlers: readonly RequestHandler[]): RequestHandler {
  return (request, response, next) => {
    const go = (at: number): void => {
      const handler = handlers[at];
      if (handler === undefined) {
        next();
        return;
      }
      const done = handler(request, response, (error?: unknown) => {
        if (error === undefined || error === null) go(at + 1);
        else next(error);
      });
      if (done instanceof Promise) done.catch(next);
    };
    go(0);
  };
}
