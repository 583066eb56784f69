import { newSessionId, type Session } from '@sallyport/shared';
import { requestFacts, type RequestFacts } from '../../extauthz/src/request-facts.js';

export const cookieName = '__Host-session';

/** Facts of a request that carries a session cookie, with only the differing parts given. */
export function someFacts(
  parts: {
    method?: string;
    target?: string;
    cookie?: string | undefined;
    authorization?: string;
    imitatesIdentity?: boolean;
  } = {},
): RequestFacts {
  const cookie = 'cookie' in parts ? parts.cookie : `${cookieName}=${newSessionId()}`;
  return requestFacts(
    parts.method ?? 'GET',
    parts.target ?? '/api/me',
    {
      ...(cookie === undefined ? {} : { cookie }),
      ...(parts.authorization === undefined ? {} : { authorization: parts.authorization }),
      ...(parts.imitatesIdentity === undefined ? {} : { imitatesIdentity: parts.imitatesIdentity }),
    },
    cookieName,
  );
}

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
