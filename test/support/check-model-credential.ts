import type { SessionId } from '@sallyport/shared';
import { cookieName } from './facts.js';

type Lines = readonly (readonly [string, string])[];

export const credentialStatus = {
  no_credential: 401,
  malformed_credential: 401,
  ambiguous_credential: 400,
  oversized_credential: 400,
} as const;

export interface ModelCredential {
  readonly id: string;
  readonly lane: 'cookie' | 'bearer';
}

/** The credential of a request, in the plainest way, or what is wrong with it. */
export function modelCredential(lines: Lines): ModelCredential | keyof typeof credentialStatus {
  const cookie = joined(lines, 'cookie');
  const authorization = joined(lines, 'authorization');
  if ((cookie?.length ?? 0) > 8192 || (authorization?.length ?? 0) > 8192) {
    return 'oversized_credential';
  }

  const cookies = ownCookies(cookie ?? '');
  const bearers = ownBearers(lines);
  if (cookies.length > 1) return 'ambiguous_credential';
  // Beside anything else in any Authorization line it is not known which is meant.
  if (bearers.length > 0 && authorizations(lines).length > 1) return 'ambiguous_credential';
  const inCookie = cookies[0]?.alone === true ? cookies[0].value : undefined;
  const [inBearer] = bearers;
  if (inCookie === undefined && inBearer === undefined) return 'no_credential';
  if (inCookie !== undefined && inBearer !== undefined) {
    // Only the very same good id twice is one credential.
    if (inCookie !== inBearer || !isId(inCookie)) return 'ambiguous_credential';
    return { id: inCookie, lane: 'cookie' };
  }
  const id = inCookie ?? inBearer ?? '';
  if (!isId(id)) return 'malformed_credential';
  return { id, lane: inCookie === undefined ? 'bearer' : 'cookie' };
}

const isId = (text: string): text is SessionId => /^[A-Za-z0-9_-]{43}$/.test(text);

/** What stands in all Authorization lines: a line may be a list (RFC 9110 §5.3). */
function authorizations(lines: Lines): string[] {
  return lines
    .filter(([name]) => name.toLowerCase() === 'authorization')
    .flatMap(([, value]) => value.split(','))
    .map((element) => element.trim());
}

/** The token of each Bearer in any Authorization line. */
export function ownBearers(lines: Lines): string[] {
  return authorizations(lines).flatMap((element) => {
    const [scheme = '', ...rest] = element.split(/[ \t]/);
    return scheme.toLowerCase() === 'bearer' ? [rest.join(' ').trim()] : [];
  });
}

/** The text of all lines with this name. */
export function joined(lines: Lines, wanted: string): string | undefined {
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
