import { sidOwner, subOwner, userOwner, type SessionOwner } from '@sallyport/shared';
import type { NewSession } from './session-store.js';

type Owned = Pick<NewSession, 'profile' | 'grants'>;

const known = new WeakMap<Owned, readonly SessionOwner[]>();

/** Everybody by whom a session can be found and revoked. Kept with it: each is a hash. */
export function ownersOf(session: Owned): readonly SessionOwner[] {
  let owners = known.get(session);
  if (owners === undefined) {
    const { profile, grants } = session;
    owners = [
      userOwner(grants.userId),
      subOwner(profile.iss, profile.sub),
      ...(profile.sid === undefined ? [] : [sidOwner(profile.iss, profile.sid)]),
    ];
    known.set(session, owners);
  }
  return owners;
}
