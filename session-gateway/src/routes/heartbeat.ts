import { correlationOfRequest } from '../http/correlate.js';
import { RefusedError } from '../http/refused-error.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { SessionRead } from '../http/session-reads.js';
import type { SessionUse, Used } from '../sessions/session-use.js';

export interface HeartbeatOptions {
  readonly use: Pick<SessionUse, 'heartbeat'>;
  readonly cookies: Pick<SessionCookies, 'idOf'>;
}

/** `GET /auth/v1/session`: whoever asks is there, so the session slides; 401 when there is none. */
export function heartbeat({ use, cookies }: HeartbeatOptions): SessionRead {
  return async (request) => {
    // An image on a foreign page must not keep anybody logged in (TRUST §7).
    if (request.headers['sec-fetch-site'] === 'cross-site') throw new RefusedError('cross_site');
    const id = cookies.idOf(request);
    if (id === undefined) throw new RefusedError('no_session');
    return aliveAnswer(await use.heartbeat(id, correlationOfRequest(request)));
  };
}

/** What both ways of using a session answer. @throws RefusedError where it is over */
export function aliveAnswer(used: Used): Record<string, unknown> {
  if (used.outcome === 'over') throw new RefusedError(used.reason);
  if (used.outcome === 'pending') throw new RefusedError('refresh_pending');
  const { grants, expiresAt, absoluteExpiresAt } = used.session;
  return {
    active: true,
    userId: grants.userId,
    roles: grants.roles,
    permissions: grants.permissions,
    expiresAt,
    absoluteExpiresAt,
    tokenRefreshed: used.upkeep?.outcome === 'refreshed',
  };
}
