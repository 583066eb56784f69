import type { Session } from '@sallyport/shared';
import type { Identity } from './identity.js';
import { deny, type Decision } from './decision.js';
import type { Lane } from './credential.js';
import type { RequestFacts } from './request-facts.js';

/** What the store says of the credential's session. */
export type SessionLookup =
  /** The credential names no session, so nobody was asked. */
  | { readonly outcome: 'not_asked' }
  | { readonly outcome: 'found'; readonly session: Session; readonly identity: Identity }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'corrupt' }
  /** No answer in time: nothing is proved. */
  | { readonly outcome: 'unavailable' };

/**
 * The decision. Pure and total: the same facts, lookup and time give the same answer over every
 * transport, and nothing that went wrong can turn into an allow (DESIGN §3).
 * @param now epoch milliseconds by the store's clock
 */
export function check(facts: RequestFacts, lookup: SessionLookup, now: number): Decision {
  if (facts.imitatesIdentity) return deny('imitated_identity');
  const { credential } = facts;
  switch (credential.outcome) {
    case 'none':
      return deny('no_credential');
    case 'malformed':
      return deny('malformed_credential');
    case 'ambiguous':
      return deny('ambiguous_credential');
    case 'oversized':
      return deny('oversized_credential');
    case 'one':
      return checkSession(credential.lane, lookup, now);
  }
}

function checkSession(lane: Lane, lookup: SessionLookup, now: number): Decision {
  switch (lookup.outcome) {
    case 'absent':
      return deny('unknown_session');
    case 'corrupt':
      return deny('corrupt_session');
    case 'found': {
      const { session, identity } = lookup;
      // Beside the key's own TTL: a restored or persisted hash must not outlive its deadline.
      if (session.expiresAt * 1000 <= now) return deny('expired_session');
      if ((session.kind === 'browser') !== (lane === 'cookie')) return deny('wrong_lane');
      return { outcome: 'allow', session, identity };
    }
    case 'unavailable':
    case 'not_asked':
      return deny('store_unavailable');
  }
}
