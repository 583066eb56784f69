import type { Profile } from '../sessions/session-store.js';
import { IdentityProviderError } from './identity-provider-error.js';

type Claims = Readonly<Record<string, unknown>>;

/**
 * The person, from the ID token and UserInfo (which wins: it is newer). Only claims of the expected
 * type and a sane length count; they are shown and stored, never used to decide.
 */
export function profileFrom(idp: string, idToken: Claims, userInfo: Claims): Profile {
  const sub = text(idToken['sub'], 255);
  const iss = text(idToken['iss'], 2048);
  if (sub === undefined || iss === undefined) {
    throw new IdentityProviderError('bad_idp_answer', 'no_subject');
  }
  const claims = { ...idToken, ...userInfo };
  return withoutUndefined({
    sub,
    iss,
    idp,
    sid: text(idToken['sid'], 255),
    email: text(claims['email'], 254),
    emailVerified: boolean(claims['email_verified']),
    name: text(claims['name'], 256),
    picture: webUrl(claims['picture']),
    acr: text(idToken['acr'], 255),
    authTime: wholeSeconds(idToken['auth_time']),
  });
}

function text(value: unknown, maxLength: number): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= maxLength ? value : undefined;
}

/** RFC 7519 §2: a NumericDate may have a fraction. The records have none. */
function wholeSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'number' ? Math.floor(value) : -1;
  return Number.isSafeInteger(seconds) && seconds >= 0 ? seconds : undefined;
}

function boolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** A page will put it into an <img>: no javascript:, no data:. */
function webUrl(value: unknown): string | undefined {
  const url = text(value, 2048);
  return url !== undefined && /^https?:\/\//i.test(url) && URL.canParse(url) ? url : undefined;
}

function withoutUndefined(profile: {
  readonly [Key in keyof Profile]: Profile[Key] | undefined;
}): Profile {
  return Object.fromEntries(
    Object.entries(profile).filter(([, value]) => value !== undefined),
  ) as unknown as Profile;
}
