import type { Health } from '@sallyport/shared/runtime';
import type { RequestHandler } from 'express';

/** `GET /actuator/health`, the original's wire. Readiness only: the parts' names stay inside. */
export function health(state: Health): RequestHandler {
  return async (_request, response) => {
    const { ready } = await state.ready();
    response.status(ready ? 200 : 503).json({ status: ready ? 'UP' : 'DOWN' });
  };
}
