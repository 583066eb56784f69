import { checkNames, checkUserId, userOwner } from '@sallyport/shared';
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import type { Events } from '../events.js';
import { correlationOfRequest } from '../http/correlate.js';
import { readBody } from '../http/read-body.js';
import { RefusedError } from '../http/refused-error.js';
import type { PermissionPushes } from '../sessions/permission-pushes.js';
import type { Revocations } from '../sessions/revocations.js';
import type { SessionLifecycle } from '../sessions/session-lifecycle.js';
import { orUnavailable } from '../sessions/store-unavailable.js';

export interface InternalSessionsOptions {
  readonly revocations: Pick<Revocations, 'revokeAll'>;
  readonly pushes: Pick<PermissionPushes, 'announce'>;
  readonly sessions: Pick<SessionLifecycle, 'grantAll'>;
  readonly events: Pick<Events, 'revoked' | 'permissionsPushed'>;
}

type OfUser = Pick<Request<{ userId: string }>, 'params'>;

/** Both lists at their limits, with JSON around every name, stay below this. */
const maxBodyBytes = 64 * 1024;
const body = z.object({ roles: z.array(z.string()), permissions: z.array(z.string()) });

/** `DELETE /internal/v1/sessions/users/{userId}`: 204 whether or not there was one, once all are gone. */
export function revokeUser(options: InternalSessionsOptions): RequestHandler<{ userId: string }> {
  return async (request, response) => {
    const userId = userOf(request);
    const correlation = correlationOfRequest(request);
    const told = (ended: number): void =>
      options.events.revoked({ kind: 'user', cause: 'admin', ended, userId }, correlation);
    await orUnavailable(options.revocations.revokeAll(userOwner(userId), told, correlation));
    response.status(204).end();
  };
}

/** `PUT /internal/v1/sessions/users/{userId}/permissions`: in force for every session at once. */
export function pushPermissions(
  options: InternalSessionsOptions,
): RequestHandler<{ userId: string }> {
  return async (request, response) => {
    const userId = userOf(request);
    const correlation = correlationOfRequest(request);
    const grants = grantsFrom(await readBody(request, 'application/json', maxBodyBytes));
    await orUnavailable(options.pushes.announce(userId));
    const changed = await options.sessions.grantAll(userOwner(userId), grants, correlation);
    options.events.permissionsPushed(changed, correlation);
    response.status(204).end();
  };
}

function userOf({ params }: OfUser): string {
  return acceptable(() => {
    checkUserId(params.userId);
    return params.userId;
  });
}

function grantsFrom(text: string): z.output<typeof body> {
  return acceptable(() => {
    const grants = body.parse(JSON.parse(text));
    checkNames('roles', grants.roles);
    checkNames('permissions', grants.permissions);
    return grants;
  });
}

function acceptable<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new RefusedError('bad_request');
  }
}
