import type { RequestHandler } from 'express';

/** One handler that is all of these, one after the other; the first error ends it. */
export function inTurn(...handlers: readonly RequestHandler[]): RequestHandler {
  return (request, response, next) => {
    const go = (at: number): void => {
      const handler = handlers[at];
      if (handler === undefined) next();
      else {
        void handler(request, response, (error?: unknown) => {
          if (error === undefined) go(at + 1);
          else next(error);
        });
      }
    };
    go(0);
  };
}
