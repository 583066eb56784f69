import {
  sessionHandle,
  type Clock,
  type Session,
  type SessionHandle,
  type SessionKeyForm,
} from '@sallyport/shared';
import { decide, decidesBySession, needsSession, preCheck, type SessionLookup } from './check.js';
import { deny, type Decision } from './decision.js';
import type { Policy } from './policy.js';
import type { Route } from './policy.js';
import type { RequestFacts } from './request-facts.js';
import type { SessionReader } from './session-reader.js';

/**
 * The one use case behind both transports. Answers at once when it can; never rejects. What had to
 * wait is decided only by whoever still gives the answer: a check that was answered otherwise
 * meanwhile must not count as a use of the session (ATTACKS 17).
 * @param mayWait false: what would have to ask the store is `overloaded` instead
 */
export type Authorize = (
  facts: RequestFacts,
  mayWait: boolean,
) => Decision | Promise<() => Decision>;

const notAsked: SessionLookup = { outcome: 'not_asked' };
const overloaded = deny('overloaded');

export interface AuthorizerOptions {
  readonly reader: SessionReader;
  readonly keyForm: SessionKeyForm;
  /** The rules in force; asked once per check, so that a reload never meets half a check. */
  readonly policy: () => Policy;
  /** The store's clock, epoch milliseconds. */
  readonly now: Clock;
  /** Told of every use of a session that is allowed, and of no other. */
  readonly onUsed?: (handle: SessionHandle, session: Session, now: number) => void;
}

export function authorizer({ reader, keyForm, policy, now, onUsed }: AuthorizerOptions): Authorize {
  const finish = (
    facts: RequestFacts,
    route: Route,
    handle: SessionHandle,
    lookup: SessionLookup,
  ): Decision => {
    const time = now();
    const decision = decide(facts, route, lookup, time);
    if (decision.outcome === 'allow' && decision.session !== undefined) {
      onUsed?.(handle, decision.session, time);
    }
    return decision;
  };
  return (facts, mayWait) => {
    const { credential } = facts;
    const route = preCheck(facts, policy());
    if (credential.outcome !== 'one' || !needsSession(facts, route)) {
      return decide(facts, route, notAsked, now());
    }
    const handle = sessionHandle(credential.id, keyForm);
    const lookup = mayWait ? reader.find(handle) : reader.known(handle);
    if (lookup === undefined) {
      return decidesBySession(facts, route)
        ? overloaded
        : decide(facts, { ...route, shadow: undefined }, notAsked, now());
    }
    return lookup instanceof Promise
      ? lookup.then((answer) => () => finish(facts, route, handle, answer))
      : finish(facts, route, handle, lookup);
  };
}
