import type { SessionId } from '@sallyport/shared';
import { cookieName } from './facts.js';

/** What the store is made to say of an id. */
export type Stored = 'browser' | 'native' | 'service' | 'expired' | 'absent' | 'corrupt' | 'down';

/** The decision, told once more in the plainest way: what status must these header lines get? */
export function modelStatus(
  lines: readonly (readonly [string, string])[],
  stored: (id: string) => Stored,
): 200 | 400 | 401 | 503 {
  if (lines.some(([name]) => imitates(name))) return 400;
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
    return verdict(stored(inCookie), 'cookie');
  }
  const id = inCookie ?? inBearer ?? '';
  if (!isId(id)) return 401;
  return verdict(stored(id), inCookie === undefined ? 'bearer' : 'cookie');
}

function verdict(stored: Stored, lane: 'cookie' | 'bearer'): 200 | 401 | 503 {
  if (stored === 'down') return 503;
  if (stored === 'browser') return lane === 'cookie' ? 200 : 401;
  if (stored === 'native' || stored === 'service') return lane === 'bearer' ? 200 : 401;
  return 401;
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
