import { newSessionId, type Session } from '@sallyport/shared';
import {
  requestFacts,
  type InboundHeaders,
  type RequestFacts,
} from '../../extauthz/src/request-facts.js';
import { sessionPolicy } from '../../extauthz/src/policy.js';
import type { Origins } from '../../extauthz/src/csrf.js';

export const cookieName = '__Host-session';

/** Facts of a request that carries a session cookie, with only the differing parts given. */
export function someFacts(
  parts: {
    method?: string;
    target?: string;
    cookie?: string | undefined;
    authorization?: string;
    imitatesIdentity?: boolean;
    headers?: InboundHeaders;
  } = {},
): RequestFacts {
  const cookie = 'cookie' in parts ? parts.cookie : `${cookieName}=${newSessionId()}`;
  return requestFacts(
    parts.method ?? 'GET',
    parts.target ?? '/api/me',
    {
      ...parts.headers,
      ...(cookie === undefined ? {} : { cookie }),
      ...(parts.authorization === undefined ? {} : { authorization: parts.authorization }),
      ...(parts.imitatesIdentity === undefined ? {} : { imitatesIdentity: parts.imitatesIdentity }),
    },
    cookieName,
  );
}

export const origins: Origins = {
  own: 'https://app.example.com',
  trusted: new Set(['https://partner.example.com']),
};

/** The policy without a file. */
export const noFile = sessionPolicy(origins);

/** A live browser session. */
export function someSession(parts: Partial<Session> = {}): Session {
  return {
    userId: 'u-1',
    roles: ['USER'],
    permissions: ['things:read'],
    createdAt: 1_700_000_000,
    expiresAt: 1_900_000_000,
    kind: 'browser',
    permVersion: 0,
    ...parts,
  };
}
