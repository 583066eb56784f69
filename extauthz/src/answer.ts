import { gatewayCookiePrefix, isGatewayCookie, withoutCookies } from '@sallyport/shared';
import { isBearer } from './credential.js';
import type { Allow, Deny } from './decision.js';
import { denial, type Denial } from './denial.js';
import { pageFor, type LoginSettings } from './navigation.js';
import type { RequestFacts } from './request-facts.js';

export { denial, type Denial };

export interface AnswerSettings {
  readonly cookieName: string;
  /** Where a person is sent to log in; undefined answers programs and people alike. */
  readonly login?: LoginSettings | undefined;
  readonly sendEmail?: boolean;
  readonly sendKind?: boolean;
}

/** What the request's own headers become, so that no upstream sees our credentials (TRUST I13). */
export interface CredentialChanges {
  /** The Cookie header's new text, where something is left of it. */
  readonly cookie: string | undefined;
  /**
   * Removed. Never the name of a header that is set too: Envoy would remove it (TRUST §0, fact 2).
   * One of few constant lists.
   */
  readonly remove: readonly string[];
}

const unchanged: CredentialChanges = { cookie: undefined, remove: [] };
const withoutCookie: CredentialChanges = { cookie: undefined, remove: ['cookie'] };
const withoutBearer: CredentialChanges = { cookie: undefined, remove: ['authorization'] };
const withoutBoth: CredentialChanges = { cookie: undefined, remove: ['cookie', 'authorization'] };

export function credentialChanges(
  facts: Pick<RequestFacts, 'cookie' | 'authorization'>,
  cookieName: string,
): CredentialChanges {
  const bearer = isBearer(facts.authorization);
  if (facts.cookie === undefined) return bearer ? withoutBearer : unchanged;
  const rest = withoutCookies(facts.cookie, gatewayCookiePrefix, (name) =>
    isGatewayCookie(name, cookieName),
  );
  if (rest === undefined) return bearer ? withoutBoth : withoutCookie;
  const { remove } = bearer ? withoutBearer : unchanged;
  return { cookie: rest === facts.cookie ? undefined : rest, remove };
}

const none: readonly (readonly [string, string])[] = [];

/** The optional identity headers. Where they are switched on they are always set, or a forged one would pass. */
export function extraHeaders(
  { session }: Allow,
  { sendEmail, sendKind }: AnswerSettings,
): readonly (readonly [name: string, value: string])[] {
  if (!sendEmail && !sendKind) return none;
  const extras: [string, string][] = [];
  if (sendEmail) extras.push(['x-user-email', session?.email ?? '']);
  if (sendKind) extras.push(['x-session-kind', session?.kind ?? '']);
  return extras;
}

/** What a client is told of a denial. */
export function denialOf(decision: Deny, facts: RequestFacts, settings: AnswerSettings): Denial {
  return pageFor(decision.reason, facts, settings.login) ?? denial(decision.reason, decision.rule);
}
