import type { SessionId } from '@sallyport/shared';
import { cookieName } from './facts.js';

/** What the store is made to say of an id. */
export type Stored = 'browser' | 'native' | 'service' | 'expired' | 'absent' | 'corrupt' | 'down';

export interface ModelRequest {
  readonly method: string;
  readonly target: string;
  readonly lines: readonly (readonly [string, string])[];
}

/** What may be done at a path, in the words of a person who wrote the rules down. */
export interface ModelRule {
  readonly allow: 'public' | 'session' | 'reader' | 'admin';
  readonly csrf: boolean;
  readonly preflight: boolean;
}

/** The rules as a person reads them: undefined where none applies. */
export type ModelRules = (method: string, target: string) => ModelRule | 'ambiguous' | undefined;

export const modelOrigins = { own: 'https://app.example', trusted: 'https://partner.example' };

/** The decision, told once more in the plainest way: what status must this request get? */
export function modelStatus(
  request: ModelRequest,
  rules: ModelRules,
  stored: (id: string) => Stored,
): 200 | 400 | 401 | 403 | 503 {
  const { method, target, lines } = request;
  if (lines.some(([name]) => imitates(name))) return 400;
  const rule = rules(method, target);
  if (rule === 'ambiguous') return 400;
  const wanted = joined(lines, 'access-control-request-method');
  if (method === 'OPTIONS' && joined(lines, 'origin') !== undefined && wanted !== undefined) {
    const asked = rules(wanted, target);
    if (asked !== undefined && asked !== 'ambiguous' && asked.preflight) return 200;
  }
  if (rule === undefined) return 403;
  if (rule.allow === 'public') return 200;
  const credential = modelCredential(lines);
  if (typeof credential === 'number') return credential;
  if (credential.lane === 'cookie' && rule.csrf && changes(request) && !isOurs(lines)) return 403;
  return verdict(stored(credential.id), credential.lane, rule.allow);
}

interface ModelCredential {
  readonly id: string;
  readonly lane: 'cookie' | 'bearer';
}

function modelCredential(lines: ModelRequest['lines']): ModelCredential | 400 | 401 {
  const cookie = joined(lines, 'cookie');
  const authorization = joined(lines, 'authorization');
  if ((cookie?.length ?? 0) > 8192 || (authorization?.length ?? 0) > 8192) return 400;

  const cookies = ownCookies(cookie ?? '');
  const bearer = /^bearer(?:[ \t]+(.*))?$/i.exec(authorization ?? '');
  if (cookies.length > 1) return 400;
  if (bearer !== null && (authorization ?? '').includes(',')) return 400;
  const inCookie = cookies[0]?.alone === true ? cookies[0].value : undefined;
  const inBearer = bearer === null ? undefined : (bearer[1] ?? '').trim();
  if (inCookie === undefined && inBearer === undefined) return 401;
  if (inCookie !== undefined && inBearer !== undefined) {
    // Only the very same good id twice is one credential.
    if (inCookie !== inBearer || !isId(inCookie)) return 400;
    return { id: inCookie, lane: 'cookie' };
  }
  const id = inCookie ?? inBearer ?? '';
  if (!isId(id)) return 401;
  return { id, lane: inCookie === undefined ? 'bearer' : 'cookie' };
}

function verdict(
  stored: Stored,
  lane: 'cookie' | 'bearer',
  allow: ModelRule['allow'],
): 200 | 401 | 403 | 503 {
  if (stored === 'down') return 503;
  const fits = stored === 'browser' ? 'cookie' : 'bearer';
  if (!['browser', 'native', 'service'].includes(stored) || lane !== fits) return 401;
  // Nobody here is an admin, and a service may not read.
  if (allow === 'admin' || (allow === 'reader' && stored === 'service')) return 403;
  return 200;
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

const isId = (text: string): text is SessionId => /^[A-Za-z0-9_-]{43}$/.test(text);

const imitates = (name: string): boolean =>
  name.includes('_') &&
  /^x-(user-id|roles|permissions|user-email|session-kind|identity-jwt)$/i.test(
    name.replaceAll('_', '-'),
  );

function joined(lines: readonly (readonly [string, string])[], wanted: string): string | undefined {
  const values = lines.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(',');
}

/** Every occurrence of our cookie; one behind a comma is none of its own but makes two of one. */
function ownCookies(header: string): { value: string; alone: boolean }[] {
  return header.split(';').flatMap((pair) =>
    pair.split(',').flatMap((part, index) => {
      const equals = part.indexOf('=');
      if (equals === -1 || part.slice(0, equals).trim() !== cookieName) return [];
      return [{ value: pair.slice(pair.indexOf('=') + 1).trim(), alone: index === 0 }];
    }),
  );
}
