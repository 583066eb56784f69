import type { RequestHandler } from 'express';
import type { UserOptions } from './user.js';

/**
 * `GET /auth/session`: `{}` when it is proved that there is no session; 503 when that cannot be known
 * (the store's error passes through). Never slides.
 */
export function session({ sessions, cookies }: UserOptions): RequestHandler {
  return async (request, response) => {
    const id = cookies.idOf(request);
    const found = id === undefined ? undefined : await sessions.look(id);
    if (found === undefined) {
      response.json({});
      return;
    }
    const { profile, grants } = found;
    response.json({
      user: {
        id: grants.userId,
        name: profile.name,
        email: profile.email,
        picture: profile.picture,
      },
      userId: grants.userId,
      roles: grants.roles,
      permissions: grants.permissions,
      expiresAt: found.expiresAt,
      absoluteExpiresAt: found.absoluteExpiresAt,
    });
  };
}
