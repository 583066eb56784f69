import type { SessionKind } from '@sallyport/shared';
import { credentialStatus, joined, modelCredential, ownBearers } from './check-model-credential.js';
import { cookieName } from './facts.js';

/** A session as the store has it. */
export interface ModelSession {
  readonly state: 'live' | 'expired';
  readonly kind: SessionKind;
  readonly user: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
}

/** What the store is made to say of an id. */
export type Stored = ModelSession | { readonly state: 'absent' | 'corrupt' | 'down' };

export interface ModelRequest {
  readonly method: string;
  readonly target: string;
  readonly lines: readonly (readonly [string, string])[];
}

/** What may be done at a path, in the words of a person who wrote the rules down. */
export interface ModelRule {
  readonly id: string;
  readonly allow: 'public' | 'session' | 'reader' | 'admin' | 'team';
  readonly csrf: boolean;
  readonly preflight: boolean;
}

/** The rules as a person reads them: undefined where none applies. */
export type ModelRules = (method: string, target: string) => ModelRule | 'ambiguous' | undefined;

export const modelOrigins = { own: 'https://app.example', trusted: 'https://partner.example' };

/** All that a check's answer says. */
export type ModelAnswer =
  | {
      readonly status: 200;
      readonly rule: string;
      readonly user: string;
      readonly kind: string;
      readonly roles: string;
      readonly permissions: string;
      /** The Cookie header's new text, where it gets one. */
      readonly cookie: string | undefined;
      readonly remove: readonly string[];
    }
  | {
      readonly status: 400 | 401 | 403 | 503;
      /** `page`: a page for a person, with two session cookies. */
      readonly reason: string;
      readonly rule: string | undefined;
      /** Of the session that was found good and lacks a grant; of no other. */
      readonly user: string | undefined;
      readonly kind: string | undefined;
    };

/** The decision, told once more in the plainest way: what must this request get? */
export function modelAnswer(
  request: ModelRequest,
  rules: ModelRules,
  stored: (id: string) => Stored,
): ModelAnswer {
  const { method, target, lines } = request;
  if (lines.some(([name]) => imitates(name))) return no(400, 'imitated_identity');
  const rule = rules(method, target);
  if (rule === 'ambiguous') return no(400, 'ambiguous_path');
  const wanted = joined(lines, 'access-control-request-method');
  if (method === 'OPTIONS' && joined(lines, 'origin') !== undefined && wanted !== undefined) {
    const asked = rules(wanted, target);
    if (asked !== undefined && asked !== 'ambiguous' && asked.preflight) return yes(lines, asked);
  }
  if (rule === undefined) return no(403, 'no_rule');
  if (rule.allow === 'public') return yes(lines, rule);
  const credential = modelCredential(lines);
  if (typeof credential === 'string') {
    const isPage = credential === 'ambiguous_credential' && isPersonWithCookies(request);
    return no(credentialStatus[credential], isPage ? 'page' : credential);
  }
  if (credential.lane === 'cookie' && rule.csrf && changes(request) && !isOurs(lines)) {
    return no(403, 'csrf', rule);
  }
  return verdict(lines, rule, credential.lane, stored(credential.id));
}

const no = (
  status: 400 | 401 | 403 | 503,
  reason: string,
  rule?: ModelRule,
  holder?: ModelSession,
): ModelAnswer => ({ status, reason, rule: rule?.id, user: holder?.user, kind: holder?.kind });

/** @param session left out: nobody's */
function yes(lines: ModelRequest['lines'], rule: ModelRule, session?: ModelSession): ModelAnswer {
  const before = joined(lines, 'cookie');
  const after = before === undefined ? undefined : withoutOurs(before);
  return {
    status: 200,
    rule: rule.id,
    user: session?.user ?? '',
    kind: session?.kind ?? '',
    roles: session?.roles.join(',') ?? '',
    permissions: session?.permissions.join(',') ?? '',
    cookie: after === before ? undefined : after,
    remove: [
      ...(before !== undefined && after === undefined ? ['cookie'] : []),
      ...(ownBearers(lines).length > 0 ? ['authorization'] : []),
    ],
  };
}

function withoutOurs(header: string): string | undefined {
  const isOurs = (part: string): boolean =>
    [cookieName, '__Host-sref', '__Host-return'].includes(nameOf(part)) ||
    nameOf(part).startsWith('__Host-login-');
  const pairs = header.split(';');
  const kept = pairs.filter((pair) => !pair.split(',').some(isOurs));
  if (kept.length === pairs.length) return header;
  return kept.join(';').trim() || undefined;
}

const nameOf = (part: string): string => (part.split('=')[0] ?? '').trim();

/** A browser opening a page, with two cookies of ours and no other credential. */
function isPersonWithCookies({ method, lines }: ModelRequest): boolean {
  return (
    method === 'GET' &&
    joined(lines, 'sec-fetch-mode') === 'navigate' &&
    joined(lines, 'authorization') === undefined
  );
}

function verdict(
  lines: ModelRequest['lines'],
  rule: ModelRule,
  lane: 'cookie' | 'bearer',
  stored: Stored,
): ModelAnswer {
  switch (stored.state) {
    case 'down':
      return no(503, 'store_unavailable');
    case 'absent':
      return no(401, 'unknown_session');
    case 'corrupt':
      return no(401, 'corrupt_session');
    case 'expired':
      return no(401, 'expired_session');
    case 'live': {
      const { kind, roles, permissions } = stored;
      if (lane !== (kind === 'browser' ? 'cookie' : 'bearer')) return no(401, 'wrong_lane');
      const lack = lackOf(rule, roles, permissions);
      return lack === undefined ? yes(lines, rule, stored) : no(403, lack, rule, stored);
    }
  }
}

/** What somebody lacks who is let in nowhere but where the rule's word has them. */
function lackOf(
  { allow }: ModelRule,
  roles: readonly string[],
  permissions: readonly string[],
): 'missing_role' | 'missing_permission' | undefined {
  const reads = permissions.includes('a:read') || permissions.includes('a:read:any');
  const writes = permissions.includes('b:write');
  const [admin, user] = [roles.includes('ADMIN'), roles.includes('USER')];
  if (allow === 'admin' && !(admin && user)) return 'missing_role';
  if (allow === 'reader' && !(reads || writes)) return 'missing_permission';
  if (allow === 'team' && !(admin || user)) return 'missing_role';
  return allow === 'team' && !(reads && writes) ? 'missing_permission' : undefined;
}

function changes({ method, lines }: ModelRequest): boolean {
  const reads = ['GET', 'HEAD', 'OPTIONS'].includes(method);
  const opensSocket =
    joined(lines, 'sec-fetch-mode') === 'websocket' ||
    joined(lines, 'sec-websocket-version') !== undefined;
  return !reads || opensSocket;
}

function isOurs(lines: ModelRequest['lines']): boolean {
  const origin = joined(lines, 'origin');
  const site = joined(lines, 'sec-fetch-site');
  if (origin === modelOrigins.trusted) return true;
  if (origin === undefined) return site === 'same-origin' || site === 'none';
  return origin === modelOrigins.own && [undefined, 'same-origin', 'none'].includes(site);
}

const imitates = (name: string): boolean =>
  name.includes('_') &&
  /^x-(user-id|roles|permissions|user-email|session-kind|identity-jwt)$/i.test(
    name.replaceAll('_', '-'),
  );
