import { sessionHandle, type Clock, type SessionKeyForm } from '@sallyport/shared';
import { check, type SessionLookup } from './check.js';
import type { Decision } from './decision.js';
import type { RequestFacts } from './request-facts.js';
import type { SessionReader } from './session-reader.js';

/** The one use case behind both transports. Answers at once when it can; never rejects. */
export type Authorize = (facts: RequestFacts) => Decision | Promise<Decision>;

const notAsked: SessionLookup = { outcome: 'not_asked' };

export function authorizer(options: {
  reader: SessionReader;
  keyForm: SessionKeyForm;
  /** The store's clock, epoch milliseconds. */
  now: Clock;
}): Authorize {
  const { reader, keyForm, now } = options;
  return (facts) => {
    const { credential } = facts;
    if (credential.outcome !== 'one' || facts.imitatesIdentity)
      return check(facts, notAsked, now());
    const lookup = reader.find(sessionHandle(credential.id, keyForm));
    return lookup instanceof Promise
      ? lookup.then((answer) => check(facts, answer, now()))
      : check(facts, lookup, now());
  };
}
