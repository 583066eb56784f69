import { sidOwner, subOwner, userOwner, type SessionOwner } from '@sallyport/shared';
import type { NewSession } from './session-store.js';

/** Everybody by whom a session can be found and revoked. */
export function ownersOf({
  profile,
  grants,
}: Pick<NewSession, 'profile' | 'grants'>): readonly SessionOwner[] {
  return [
    userOwner(grants.userId),
    subOwner(profile.iss, profile.sub),
    ...(profile.sid === undefined ? [] : [sidOwner(profile.iss, profile.sid)]),
  ];
}
