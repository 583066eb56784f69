import type { Session } from '@sallyport/shared';
import type { Lane } from './credential.js';
import { isUnsafe, provesOrigin } from './csrf.js';
import { allowNobody, deny, type Decision, type Deny, type DenyReason } from './decision.js';
import type { Identity } from './identity.js';
import { preflightRoute, refusedRoute, type Policy, type Route } from './policy.js';
import type { RequestFacts } from './request-facts.js';
import { defaultRuleId, missingGrant, type Rule } from './rule.js';

/** What the store says of the credential's session. */
export type SessionLookup =
  /** The answer depends on no session, or the credential names none: nobody was asked. */
  | { readonly outcome: 'not_asked' }
  | { readonly outcome: 'found'; readonly session: Session; readonly identity: Identity }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'corrupt' }
  /** No answer in time: nothing is proved. */
  | { readonly outcome: 'unavailable' };

/**
 * The decision. Pure and total: the same facts, lookup, policy and time give the same answer over
 * every transport, and nothing that went wrong can turn into an allow (DESIGN §3).
 * @param now epoch milliseconds by the store's clock
 */
export function check(
  facts: RequestFacts,
  lookup: SessionLookup,
  policy: Policy,
  now: number,
): Decision {
  return decide(facts, preCheck(facts, policy), lookup, now);
}

const imitatedIdentity = refusedRoute('imitated_identity');
const badMethod = refusedRoute('bad_method');
const ambiguousPath = refusedRoute('ambiguous_path');

/** The first half of {@link check}: all that is known before a session is read. */
export function preCheck(facts: RequestFacts, policy: Policy): Route {
  const { method, path, headers } = facts;
  if (facts.imitatesIdentity) return imitatedIdentity;
  if (!isMethod(method)) return badMethod;
  const route = policy.route(method, path);
  if (route === undefined) return ambiguousPath;
  if (method === 'OPTIONS' && headers.origin !== undefined) {
    const wanted = headers['access-control-request-method'];
    const rule = wanted === undefined ? undefined : policy.route(wanted, path)?.rule;
    if (rule?.preflight) return preflightRoute(rule);
  }
  return route;
}

/**
 * Whether any session could change the answer. What is decided without one, a CSRF denial too, asks
 * nobody: a foreign page must not make a reader of Redis out of somebody's browser.
 */
export function needsSession(facts: RequestFacts, route: Route): boolean {
  return (
    route.needsSession && (decidesBySession(facts, route) || reachesSession(route.shadow, facts))
  );
}

/** The same of the rule that decides: one on trial must not be what a request waits for. */
export function decidesBySession(facts: RequestFacts, { rule }: Route): boolean {
  return reachesSession(rule, facts);
}

function reachesSession(rule: Rule | undefined, facts: RequestFacts): boolean {
  return (
    rule !== undefined &&
    rule.allow !== 'public' &&
    facts.credential.outcome === 'one' &&
    !isForeign(rule, facts.credential.lane, facts)
  );
}

/** CSRF: it could change something, a cookie carries it, and nothing shows that a page of ours sent it. */
function isForeign(rule: Rule, lane: Lane, { method, headers }: RequestFacts): boolean {
  return (
    lane === 'cookie' &&
    rule.csrf !== undefined &&
    isUnsafe(method, headers) &&
    !provesOrigin(headers, rule.csrf)
  );
}

/** The second half: with the session, where the route needs one. */
export function decide(
  facts: RequestFacts,
  route: Route,
  lookup: SessionLookup,
  now: number,
): Decision {
  if (route.refusal !== undefined) return deny(route.refusal);
  if (route.preflight && route.rule !== undefined) return allowNobody('preflight', route.rule.id);
  const decision = judge(route.rule, facts, lookup, now);
  if (route.shadow === undefined) return decision;
  const { outcome } = judge(route.shadow, facts, lookup, now);
  const change =
    outcome === decision.outcome ? 'none' : outcome === 'allow' ? 'would_allow' : 'would_deny';
  return { ...decision, shadow: { rule: route.shadow.id, change } };
}

function judge(
  rule: Rule | undefined,
  facts: RequestFacts,
  lookup: SessionLookup,
  now: number,
): Decision {
  if (rule === undefined) return deny('no_rule');
  if (rule.allow === 'public') return allowNobody('public', rule.id);
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
      if (isForeign(rule, credential.lane, facts)) return denyBy(rule, 'csrf');
      return checkSession(rule, credential.lane, lookup, now);
  }
}

function checkSession(rule: Rule, lane: Lane, lookup: SessionLookup, now: number): Decision {
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
      const missing = missingGrant(rule.allow, session);
      if (missing !== undefined) return { ...denyBy(rule, missing), holder: session };
      return { outcome: 'allow', basis: 'session', session, identity, rule: rule.id };
    }
    case 'unavailable':
    case 'not_asked':
      return deny('store_unavailable');
  }
}

function denyBy(rule: Rule, reason: DenyReason): Deny {
  return deny(reason, rule.id === defaultRuleId ? undefined : rule.id);
}

/**
 * Node's parser knows only these over HTTP; what Envoy passes on over gRPC must not be looser, or a
 * `delete` that an upstream takes for DELETE would pass the rules for it.
 */
function isMethod(method: string): boolean {
  if (method === 'GET' || method === 'POST') return true;
  const { length } = method;
  if (length === 0 || length > 32) return false;
  for (let at = 0; at < length; at += 1) {
    const code = method.charCodeAt(at);
    if ((code < 0x41 || code > 0x5a) && code !== 0x2d) return false;
  }
  return true;
}
