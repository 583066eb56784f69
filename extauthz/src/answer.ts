import { identityHeaders, isGatewayCookie, withoutCookies } from '@sallyport/shared';
import { isBearer } from './credential.js';
import type { Allow, Deny } from './decision.js';
import { denial, type Denial } from './denial.js';
import { pageFor, type LoginSettings } from './navigation.js';
import type { RequestFacts } from './request-facts.js';

/** What an allowed request's headers become; the dialects only write it down. */
export interface UpstreamChanges {
  /** Set, overwriting. Always all three identity headers. */
  readonly set: readonly (readonly [name: string, value: string])[];
  /** Removed. Never a name that `set` has too: Envoy would remove it (TRUST §0, fact 2). */
  readonly remove: readonly string[];
}

export { denial, type Denial };

export interface AnswerSettings {
  readonly cookieName: string;
  /** Where a person is sent to log in; undefined answers programs and people alike. */
  readonly login?: LoginSettings | undefined;
  readonly sendEmail?: boolean;
  readonly sendKind?: boolean;
}

/** The identity, and the request without our credentials (TRUST I13). */
export function upstreamChanges(
  allow: Allow,
  facts: Pick<RequestFacts, 'cookie' | 'authorization'>,
  { cookieName, sendEmail, sendKind }: AnswerSettings,
): UpstreamChanges {
  const { identity, session } = allow;
  const { values } = identity;
  const set: [string, string][] = identityHeaders.map((name, index) => [name, values[index] ?? '']);
  // Like the three: where they are switched on they are always set, or a forged one would pass.
  if (sendEmail) set.push(['x-user-email', session?.email ?? '']);
  if (sendKind) set.push(['x-session-kind', session?.kind ?? '']);
  const remove: string[] = [];
  if (facts.cookie !== undefined) {
    const rest = withoutCookies(facts.cookie, (name) => isGatewayCookie(name, cookieName));
    if (rest === undefined) remove.push('cookie');
    else if (rest !== facts.cookie) set.push(['cookie', rest]);
  }
  if (isBearer(facts.authorization)) remove.push('authorization');
  return { set, remove };
}

/** What a client is told of a denial. */
export function denialOf(decision: Deny, facts: RequestFacts, settings: AnswerSettings): Denial {
  return pageFor(decision.reason, facts, settings.login) ?? denial(decision.reason, decision.rule);
}
