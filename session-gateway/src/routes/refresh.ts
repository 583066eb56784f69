import type { SessionHandle } from '@sallyport/shared';
import type { Request, RequestHandler } from 'express';
import { correlationOfRequest } from '../http/correlate.js';
import { RefusedError } from '../http/refused-error.js';
import { originOf } from '../http/request-facts.js';
import { provesSameOrigin } from '../http/same-origin.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { SessionLifecycle } from '../sessions/session-lifecycle.js';
import type { StoredSession } from '../sessions/session-store.js';
import type { SessionUse } from '../sessions/session-use.js';
import { aliveAnswer } from './heartbeat.js';

export interface RefreshOptions {
  readonly sessions: Pick<SessionLifecycle, 'find' | 'handleOf'>;
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

const found = new WeakMap<Request, { handle: SessionHandle; session: StoredSession }>();

/** For the limiter and the answer: one look serves both. */
export function findRefreshed({ sessions, cookies }: RefreshOptions): RequestHandler {
  return async (request, _response, next) => {
    const id = cookies.idOf(request);
    const session = id === undefined ? undefined : await sessions.find(id);
    if (id !== undefined && session !== undefined) {
      found.set(request, { handle: sessions.handleOf(id), session });
    }
    next();
  };
}

/** Whom a refresh counts against: a session that lives, since anybody can make up ids. */
export function refreshedSession(request: Request): SessionHandle | undefined {
  return found.get(request)?.handle;
}

/** `POST /auth/refresh`: new tokens and permissions now; a 503 says that the session is kept. */
export function refresh({ use, cookies }: RefreshOptions): RequestHandler {
  return async (request, response) => {
    const id = cookies.idOf(request);
    if (id === undefined) throw new RefusedError('no_session');
    const seen = found.get(request)?.session;
    const used = await use.refresh(id, seen, correlationOfRequest(request));
    if (used.outcome === 'alive' && used.upkeep?.outcome === 'kept') {
      throw new RefusedError('refresh_pending');
    }
    response.json(aliveAnswer(used));
  };
}
