import { sessionHandle, type Clock, type SessionKeyForm } from '@sallyport/shared';
import { decide, preCheck, type SessionLookup } from './check.js';
import type { Decision } from './decision.js';
import type { Policy } from './policy.js';
import type { RequestFacts } from './request-facts.js';
import type { SessionReader } from './session-reader.js';

/** The one use case behind both transports. Answers at once when it can; never rejects. */
export type Authorize = (facts: RequestFacts) => Decision | Promise<Decision>;

const notAsked: SessionLookup = { outcome: 'not_asked' };

export function authorizer(options: {
  reader: SessionReader;
  keyForm: SessionKeyForm;
  /** The rules in force; asked once per check, so that a reload never meets half a check. */
  policy: () => Policy;
  /** The store's clock, epoch milliseconds. */
  now: Clock;
}): Authorize {
  const { reader, keyForm, policy, now } = options;
  return (facts) => {
    const { credential } = facts;
    const route = preCheck(facts, policy());
    if (credential.outcome !== 'one' || !route.needsSession)
      return decide(facts, route, notAsked, now());
    const lookup = reader.find(sessionHandle(credential.id, keyForm));
    return lookup instanceof Promise
      ? lookup.then((answer) => decide(facts, route, answer, now()))
      : decide(facts, route, lookup, now());
  };
}
