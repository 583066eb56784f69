import { decodeJwt, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';

/** Whose sessions the provider has ended, and the token's own id. */
export interface LogoutToken {
  readonly iss: string;
  readonly jti: string;
  readonly sub?: string;
  readonly sid?: string;
}

export interface LogoutTokenRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly algorithms: readonly string[];
  /** Only `typ: logout+jwt`; else also none and `JWT`, as older providers send it. */
  readonly strictType: boolean;
  /** Milliseconds. */
  readonly now: number;
}

/** It is no logout token of this provider for us. `detail` is for the log. */
export class LogoutTokenError extends Error {
  override readonly name = 'LogoutTokenError';
  readonly code = 'bad_logout_token';
  readonly detail: string;

  constructor(detail: string, options?: ErrorOptions) {
    super(`bad_logout_token (${detail})`, options);
    this.detail = detail;
  }
}

const freshSeconds = 300;
const skewSeconds = 30;
/** How long a token can come back: after that its `iat` refuses it. */
export const logoutTokenLife = freshSeconds + 2 * skewSeconds;

const eventName = 'http://schemas.openid.net/event/backchannel-logout';
const text = z.string().min(1).max(255);
const claims = z.object({
  iss: z.string(),
  iat: z.number(),
  jti: text,
  sub: text.optional(),
  sid: text.optional(),
  events: z.object({ [eventName]: z.record(z.string(), z.unknown()) }),
  // What tells it from an ID token (OIDC Back-Channel Logout 1.0 §2.4).
  nonce: z.undefined().optional(),
});

/**
 * Everything of OIDC Back-Channel Logout 1.0 §2.6 but the replay.
 * @throws LogoutTokenError, or what `keys` throws where it cannot know
 */
export async function verifyLogoutToken(
  token: string,
  keys: JWTVerifyGetKey,
  rules: LogoutTokenRules,
): Promise<LogoutToken> {
  const { payload, protectedHeader } = await signed(token, keys, rules);
  const typ = protectedHeader.typ?.toLowerCase().replace(/^application\//, '');
  if (typ !== 'logout+jwt' && (rules.strictType || (typ !== undefined && typ !== 'jwt'))) {
    throw new LogoutTokenError('typ');
  }
  const result = claims.safeParse(payload);
  if (!result.success) {
    throw new LogoutTokenError(String(result.error.issues[0]?.path[0] ?? 'claims'));
  }
  const { iss, iat, jti, sub, sid } = result.data;
  const age = rules.now / 1000 - iat;
  if (age > freshSeconds + skewSeconds || age < -skewSeconds) throw new LogoutTokenError('iat');
  if (sub === undefined && sid === undefined) throw new LogoutTokenError('no_subject');
  return {
    iss,
    jti,
    ...(sub === undefined ? {} : { sub }),
    ...(sid === undefined ? {} : { sid }),
  };
}

async function signed(token: string, keys: JWTVerifyGetKey, rules: LogoutTokenRules) {
  try {
    return await jwtVerify(token, keys, {
      algorithms: [...rules.algorithms],
      issuer: rules.issuer,
      audience: rules.clientId,
      clockTolerance: skewSeconds,
      currentDate: new Date(rules.now),
      requiredClaims: ['iss', 'aud', 'iat', 'jti', 'events'],
    });
  } catch (error) {
    const { code } = error as { code?: unknown };
    // Else its keys could not be had: nothing is known about the token.
    if (typeof code !== 'string' || !code.startsWith('ERR_J')) throw error;
    throw new LogoutTokenError(code.toLowerCase(), { cause: error });
  }
}

/** To whom and from whom a token claims to be. */
export interface ClaimedAddress {
  readonly iss: string;
  readonly aud: readonly string[];
}

/** What a token claims, to find whom to ask about it; not yet believed. */
export function claimedAddress(token: string): ClaimedAddress | undefined {
  try {
    const { iss, aud } = decodeJwt(token);
    // A stranger's words: nothing says that they are texts.
    return typeof iss === 'string'
      ? { iss, aud: [aud].flat().filter((one) => typeof one === 'string') }
      : undefined;
  } catch {
    return undefined;
  }
}
