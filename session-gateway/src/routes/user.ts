import { RefusedError } from '../http/refused-error.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { SessionRead } from '../http/session-reads.js';
import type { SessionLifecycle } from '../sessions/session-lifecycle.js';
import type { SessionUse } from '../sessions/session-use.js';

export interface UserOptions {
  readonly sessions: Pick<SessionLifecycle, 'look'>;
  readonly use: Pick<SessionUse, 'reasonOf'>;
  readonly cookies: SessionCookies;
}

/** `GET /user`, `GET /auth/v1/user`: who is logged in. Field by field, so that no token can slip in; never slides. */
export function user({ sessions, use, cookies }: UserOptions): SessionRead {
  return async (request) => {
    const id = cookies.idOf(request);
    const session = id === undefined ? undefined : await sessions.look(id);
    if (session === undefined) throw new RefusedError(await use.reasonOf(id));
    const { profile, grants } = session;
    return {
      sub: profile.sub,
      name: profile.name,
      email: profile.email,
      picture: profile.picture,
      emailVerified: profile.emailVerified ?? false,
      authenticated: true,
      registrationId: profile.idp,
      roles: grants.roles,
      permissions: grants.permissions,
    };
  };
}
