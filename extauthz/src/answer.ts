import { identityHeaders, isGatewayCookie, withoutCookies } from '@sallyport/shared';
import { denyReasons, type Allow, type DenyReason } from './decision.js';
import { isBearer } from './credential.js';
import type { RequestFacts } from './request-facts.js';

/** What an allowed request's headers become; the dialects only write it down. */
export interface UpstreamChanges {
  /** Set, overwriting. Always all three identity headers. */
  readonly set: readonly (readonly [name: string, value: string])[];
  /** Removed. Never a name that `set` has too: Envoy would remove it (TRUST §0, fact 2). */
  readonly remove: readonly string[];
}

/** What the request's own headers become, so that no upstream sees our credentials (TRUST I13). */
export interface CredentialChanges {
  /** The Cookie header's new text, where something is left of it. */
  readonly cookie: string | undefined;
  /** One of few constant lists. */
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
  const rest = withoutCookies(facts.cookie, (name) => isGatewayCookie(name, cookieName));
  if (rest === undefined) return bearer ? withoutBoth : withoutCookie;
  const { remove } = bearer ? withoutBearer : unchanged;
  return { cookie: rest === facts.cookie ? undefined : rest, remove };
}

/** The identity, and the request without our credentials. */
export function upstreamChanges(
  allow: Allow,
  facts: Pick<RequestFacts, 'cookie' | 'authorization'>,
  cookieName: string,
): UpstreamChanges {
  const { values } = allow.identity;
  const { cookie, remove } = credentialChanges(facts, cookieName);
  const set: [string, string][] = identityHeaders.map((name, index) => [name, values[index] ?? '']);
  if (cookie !== undefined) set.push(['cookie', cookie]);
  return { set, remove };
}

/** A denial as the client sees it. */
export interface Denial {
  readonly status: 400 | 401 | 403 | 503;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** RFC 9457 problem. */
  readonly body: string;
}

const titles = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  503: 'Service Unavailable',
} as const;

function makeDenial(reason: DenyReason): Denial {
  const { status, detail } = denyReasons[reason];
  const headers: [string, string][] = [
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
  ];
  // RFC 9110 §11.6.1: a 401 names a challenge. Bearer opens no password box in a browser.
  if (status === 401) headers.push(['www-authenticate', 'Bearer realm="sallyport"']);
  if (status === 503) headers.push(['retry-after', '1']);
  const body = JSON.stringify({
    type: 'about:blank',
    title: titles[status],
    status,
    reason,
    detail,
  });
  return { status, headers, body };
}

const denials = new Map(
  (Object.keys(denyReasons) as DenyReason[]).map((reason) => [reason, makeDenial(reason)]),
);

export function denial(reason: DenyReason): Denial {
  return denials.get(reason) ?? makeDenial(reason);
}
