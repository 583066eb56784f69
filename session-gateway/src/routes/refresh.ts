import type { RequestHandler } from 'express';
import { correlationOfRequest } from '../http/correlate.js';
import { RefusedError } from '../http/refused-error.js';
import { originOf } from '../http/request-facts.js';
import { provesSameOrigin } from '../http/same-origin.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { SessionUse } from '../sessions/session-use.js';
import { aliveAnswer } from './heartbeat.js';

export interface RefreshOptions {
  readonly use: Pick<SessionUse, 'refresh'>;
  readonly cookies: Pick<SessionCookies, 'idOf'>;
  readonly publicOrigin: string;
}

/** Before the limiter: a foreign page must not use up what a session may ask. */
export function refuseForeignRefresh({ cookies, publicOrigin }: RefreshOptions): RequestHandler {
  return (request, _response, next) => {
    if (!provesSameOrigin(originOf(request), publicOrigin)) throw new RefusedError('no_csrf_proof');
    if (cookies.idOf(request) === undefined) throw new RefusedError('no_session');
    next();
  };
}

/** `POST /auth/refresh`: new tokens and permissions now; a 503 says that the session is kept. */
export function refresh({ use, cookies }: RefreshOptions): RequestHandler {
  return async (request, response) => {
    const id = cookies.idOf(request);
    if (id === undefined) throw new RefusedError('no_session');
    const used = await use.refresh(id, correlationOfRequest(request));
    if (used.outcome === 'alive' && used.upkeep?.outcome === 'kept') {
      throw new RefusedError('refresh_pending');
    }
    response.json(aliveAnswer(used));
  };
}
