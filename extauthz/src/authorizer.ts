import {
  sessionHandle,
  type Clock,
  type Session,
  type SessionHandle,
  type SessionKeyForm,
} from '@sallyport/shared';
import { check, type SessionLookup } from './check.js';
import type { Decision } from './decision.js';
import type { RequestFacts } from './request-facts.js';
import type { SessionReader } from './session-reader.js';

/** The one use case behind both transports. Answers at once when it can; never rejects. */
export type Authorize = (facts: RequestFacts) => Decision | Promise<Decision>;

const notAsked: SessionLookup = { outcome: 'not_asked' };

export interface AuthorizerOptions {
  readonly reader: SessionReader;
  readonly keyForm: SessionKeyForm;
  /** The store's clock, epoch milliseconds. */
  readonly now: Clock;
  /** Told of every allowed use of a session. */
  readonly onAllowed?: (handle: SessionHandle, session: Session, now: number) => void;
}

export function authorizer({ reader, keyForm, now, onAllowed }: AuthorizerOptions): Authorize {
  const decide = (facts: RequestFacts, handle: SessionHandle, lookup: SessionLookup): Decision => {
    const time = now();
    const decision = check(facts, lookup, time);
    if (decision.outcome === 'allow') onAllowed?.(handle, decision.session, time);
    return decision;
  };
  return (facts) => {
    const { credential } = facts;
    if (credential.outcome !== 'one' || facts.imitatesIdentity)
      return check(facts, notAsked, now());
    const handle = sessionHandle(credential.id, keyForm);
    const lookup = reader.find(handle);
    return lookup instanceof Promise
      ? lookup.then((answer) => decide(facts, handle, answer))
      : decide(facts, handle, lookup);
  };
}
