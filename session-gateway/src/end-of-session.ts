import { subOwner, type SessionHandle } from '@sallyport/shared';
import type { Correlation } from './correlation.js';
import type { Events } from './events.js';
import type { IdpRegistration } from './oidc/idp-registration.js';
import type { LeftSession, SpentSession } from './oidc/spent-session.js';
import type { LeftVerdict, TokenRevocations } from './oidc/token-revocations.js';
import { sessionsOf } from './sessions/live-sessions.js';
import type { LeftTokens } from './sessions/left-tokens.js';
import type { RefreshDue } from './sessions/refresh-due.js';
import type { SessionIndex } from './sessions/session-index.js';
import type { EndedSession, SessionEnd } from './sessions/session-lifecycle.js';
import type { Profile, SessionStore, TokensToRevoke } from './sessions/session-store.js';

type Rules = readonly Pick<IdpRegistration, 'id' | 'revokeTokens'>[];

/**
 * Whose tokens are to be revoked after such an end. A provider that is given one token of a grant ends
 * the whole grant, and some end all of a person's: whoever logs in twice in a browser has the second
 * session on the grant of the first.
 */
export function tokensToRevoke(
  rules: Rules,
  how: SessionEnd | 'revoked',
  replacedBy?: Profile,
): TokensToRevoke {
  const isOnlyForAlways = how === 'session_limit' || how === 'device';
  const idps = rules.filter(
    ({ revokeTokens: rule }) => rule === 'always' || (rule === 'logout' && !isOnlyForAlways),
  );
  const heir = replacedBy && { idp: replacedBy.idp, sub: replacedBy.sub };
  return { idps: idps.map(({ id }) => id), ...(heir && { replacedBy: heir }) };
}

/** What follows the end of a session, however it came; nobody waits for the provider. */
export function endOfSession(parts: {
  readonly spent: Pick<TokenRevocations, 'add'>;
  readonly left: Pick<LeftTokens, 'planTaken'>;
  readonly idps: Rules;
  readonly due: Pick<RefreshDue, 'forget'>;
  readonly events: Pick<Events, 'revoked'>;
}): {
  byRevocation: (session: SpentSession, correlation?: Correlation) => void;
  byLifecycle: (session: EndedSession, how: SessionEnd, correlation?: Correlation) => Promise<void>;
} {
  const { spent, left, idps, due, events } = parts;
  const forget = (handle: SessionHandle): void => {
    // A hint that is left behind goes when it is due.
    due.forget(handle).catch(() => undefined);
  };
  return {
    byRevocation: (session, correlation) => {
      if (tokensToRevoke(idps, 'revoked').idps.includes(session.idp)) {
        spent.add(session, correlation);
      }
      forget(session.handle);
    },
    byLifecycle: ({ handle, session, replacedBy }, how, correlation) => {
      const { profile, grants, sealedTokens } = session;
      const { idp } = profile;
      const isLeft = isToBeRevoked(profile, tokensToRevoke(idps, how, replacedBy));
      const noted = isLeft ? left.planTaken(handle) : Promise.resolve();
      if (isLeft) spent.add({ handle, idp, sealedTokens }, correlation);
      forget(handle);
      // The routes have told of the others.
      if (how !== 'closed' && how !== 'device') {
        const { userId } = grants;
        const one = { kind: 'user', cause: how, ended: 1, userId, idp, handle } as const;
        events.revoked(one, correlation);
      }
      return noted;
    },
  };
}

/** The same as `lua/take.lua` decides. */
function isToBeRevoked({ idp, sub }: Profile, { idps, replacedBy }: TokensToRevoke): boolean {
  if (replacedBy?.idp === idp && replacedBy.sub === sub) return false;
  return idps.includes(idp);
}

/**
 * What is to become of tokens whose session has ended a while ago. The person may have logged in again
 * meanwhile, on a grant that would end with them: then they wait until that session is over.
 */
export function judgeLeft(parts: {
  readonly idps: Rules;
  readonly index: SessionIndex;
  readonly store: Pick<SessionStore, 'exists' | 'find'>;
}): (session: LeftSession) => Promise<LeftVerdict> {
  const rules = new Map(parts.idps.map(({ id, revokeTokens }) => [id, revokeTokens]));
  return async ({ idp, iss, sub, endedAt }) => {
    const rule = rules.get(idp);
    if (rule !== 'logout') return rule === 'never' ? 'never' : 'revoke';
    const live = await sessionsOf(subOwner(iss, sub), parts.index, parts.store);
    const isBack = live.some(
      ({ session }) => session.profile.idp === idp && session.createdAt >= endedAt,
    );
    return isBack ? 'later' : 'revoke';
  };
}
