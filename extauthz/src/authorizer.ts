import { sessionHandle, type Clock, type SessionKeyForm } from '@sallyport/shared';
import { check, type SessionLookup } from './check.js';
import type { Decision } from './decision.js';
import type { RequestFacts } from './request-facts.js';
import type { SessionReader } from './session-reader.js';

/** The one use case behind both transports. Never rejects. */
export type Authorize = (facts: RequestFacts) => Promise<Decision>;

const notAsked: SessionLookup = { outcome: 'not_asked' };

export function authorizer(options: {
  reader: SessionReader;
  keyForm: SessionKeyForm;
  /** The store's clock, epoch milliseconds. */
  now: Clock;
}): Authorize {
  const { reader, keyForm, now } = options;
  return async (facts) => {
    const { credential } = facts;
    const lookup =
      credential.outcome === 'one' && !facts.imitatesIdentity
        ? await reader.find(sessionHandle(credential.id, keyForm))
        : notAsked;
    return check(facts, lookup, now());
  };
}
