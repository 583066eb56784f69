import type { RequestHandler } from 'express';
import { RefusedError } from '../http/refused-error.js';
import { sendJson } from '../http/send-json.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { SessionLifecycle } from '../sessions/session-lifecycle.js';
import type { SessionUse } from '../sessions/session-use.js';

export interface UserOptions {
  readonly sessions: Pick<SessionLifecycle, 'find'>;
  readonly use: Pick<SessionUse, 'reasonOf'>;
  readonly cookies: SessionCookies;
}

/** `GET /user`, `GET /auth/v1/user`: who is logged in. Field by field, so that no token can slip in; never slides. */
export function user({ sessions, use, cookies }: UserOptions): RequestHandler {
  return async (request, response) => {
    const id = cookies.idOf(request);
    const session = id === undefined ? undefined : await sessions.find(id);
    if (session === undefined) throw new RefusedError(await use.reasonOf(id));
    const { profile, grants } = session;
    sendJson(response, {
      sub: profile.sub,
      name: profile.name,
      email: profile.email,
      picture: profile.picture,
      emailVerified: profile.emailVerified ?? false,
      authenticated: true,
      registrationId: profile.idp,
      roles: grants.roles,
      permissions: grants.permissions,
    });
  };
}
