import { userOwner, type SessionHandle } from '@sallyport/shared';
import type { Request, RequestHandler } from 'express';
import type { Events } from '../events.js';
import { correlationOfRequest } from '../http/correlate.js';
import { RefusedError } from '../http/refused-error.js';
import { originOf } from '../http/request-facts.js';
import { provesSameOrigin } from '../http/same-origin.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { DeviceRef } from '../sessions/device-ref.js';
import type { LiveSession } from '../sessions/live-sessions.js';
import type { ClosedSession } from '../sessions/session-ending.js';
import type { SessionLifecycle } from '../sessions/session-lifecycle.js';

export interface DevicesOptions {
  readonly sessions: Pick<SessionLifecycle, 'look' | 'handleOf' | 'close' | 'allOf'>;
  readonly deviceRef: DeviceRef;
  readonly cookies: SessionCookies;
  readonly publicOrigin: string;
  readonly events: Pick<Events, 'revoked'>;
}

/** `GET /auth/sessions`: where the caller is logged in. No id and no handle ever leaves here. */
export function devices(options: DevicesOptions): RequestHandler {
  return async (request, response) => {
    const { current, sessions } = await ownSessions(options, request);
    response.json({
      sessions: sessions
        .sort((one, other) => other.session.lastAccessedAt - one.session.lastAccessedAt)
        .map(({ handle, session }) => ({
          ref: options.deviceRef.of(handle),
          kind: session.kind,
          device: session.deviceHint,
          ipPrefix: session.ipPrefix,
          createdAt: session.createdAt,
          lastAccessedAt: session.lastAccessedAt,
          current: handle === current,
        })),
    });
  };
}

/** `DELETE /auth/sessions/{ref}`: ends one of the caller's own; anybody else's is not there. */
export function endDevice(options: DevicesOptions): RequestHandler<{ ref: string }> {
  const { deviceRef, cookies, publicOrigin, events } = options;
  return async (request, response) => {
    if (!provesSameOrigin(originOf(request), publicOrigin)) throw new RefusedError('no_csrf_proof');
    const { current, sessions } = await ownSessions(options, request);
    const named = sessions.find(({ handle }) => deviceRef.names(request.params.ref, handle));
    if (named === undefined) throw new RefusedError('not_found');
    const { handle, session } = named;
    const { userId } = session.grants;
    const correlation = correlationOfRequest(request);
    const told = ({ idp }: ClosedSession) => {
      const one = { kind: 'user', cause: 'device', ended: 1, userId, idp, handle } as const;
      events.revoked(one, correlation);
    };
    await options.sessions.close(handle, told, 'device', correlation);
    if (handle === current) cookies.clear(response);
    response.status(204).end();
  };
}

async function ownSessions(
  { sessions, cookies }: DevicesOptions,
  request: Pick<Request, 'headers'>,
): Promise<{ current: SessionHandle; sessions: LiveSession[] }> {
  const id = cookies.idOf(request);
  const session = id === undefined ? undefined : await sessions.look(id);
  if (id === undefined || session === undefined) throw new RefusedError('no_session');
  return {
    current: sessions.handleOf(id),
    sessions: await sessions.allOf(userOwner(session.grants.userId)),
  };
}
