import { checkUserId } from '@sallyport/shared';
import type { Request, RequestHandler } from 'express';
import type { Events } from '../events.js';
import { correlationOfRequest } from './correlate.js';

const actions = new Map([
  ['/internal/v1/sessions/users/:userId', 'revoke_user'],
  ['/internal/v1/sessions/users/:userId/permissions', 'push_permissions'],
] as const);

/** Every call to `/internal`, also one that was refused: who it was, what for, and how it ended. */
export function adminAudit(events: Pick<Events, 'adminDone'>): RequestHandler {
  return (request, response, next) => {
    response.once('close', () => {
      const route = (request.route as { path?: string } | undefined)?.path ?? '';
      const { caller, reason } = response.locals as { caller?: string; reason?: string };
      const userId = userOf(request);
      const isDone = response.writableFinished && response.statusCode < 300;
      const done = {
        action: actions.get(route as never) ?? ('other' as const),
        outcome: isDone ? ('success' as const) : ('failure' as const),
        ...(caller === undefined ? {} : { caller }),
        ...(userId === undefined ? {} : { userId }),
        ...(reason === undefined ? {} : { reason }),
      };
      events.adminDone(done, correlationOfRequest(request));
    });
    next();
  };
}

/** As far as it can be one: what a stranger wrote there is not written down. */
function userOf({ params }: Pick<Request, 'params'>): string | undefined {
  const { userId } = params;
  if (typeof userId !== 'string') return undefined;
  try {
    checkUserId(userId);
    return userId;
  } catch {
    return undefined;
  }
}
