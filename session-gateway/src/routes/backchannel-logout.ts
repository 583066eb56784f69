import { sidOwner, subOwner } from '@sallyport/shared';
import type { Request, RequestHandler } from 'express';
import type { Correlation } from '../correlation.js';
import type { Events } from '../events.js';
import { correlationOfRequest } from '../http/correlate.js';
import { readBody } from '../http/read-body.js';
import { RefusedError } from '../http/refused-error.js';
import { onlyValue } from '../http/request-facts.js';
import type { IdentityProvider } from '../oidc/identity-provider.js';
import { claimedAddress, LogoutTokenError, type LogoutToken } from '../oidc/logout-token.js';
import type { LogoutTokenLog } from '../sessions/logout-token-log.js';
import type { Revocations } from '../sessions/revocations.js';
import { orUnavailable } from '../sessions/store-unavailable.js';

export interface BackchannelLogoutOptions {
  readonly idps: ReadonlyMap<string, IdentityProvider>;
  readonly revocations: Pick<Revocations, 'revokeAll' | 'sweep'>;
  readonly logoutTokens: LogoutTokenLog;
  readonly events: Pick<Events, 'revoked'>;
}

const maxBodyBytes = 16 * 1024;

/** Where a token that does not hold waits to be counted. */
const refusedToken = 'refusedLogoutToken';

interface RefusedToken {
  /** The registration it names. */
  readonly idp: string;
  readonly error: LogoutTokenError;
}

/**
 * `POST /auth/backchannel-logout` (OIDC Back-Channel Logout 1.0): the provider itself asks, and its
 * signature is the authority; no cookie is looked at. 200 once both records of every session are gone.
 * Anybody can name a registration in a token, so only tokens that do not hold are counted against it,
 * by the next handler: those that hold always pass.
 */
export function backchannelLogout(options: BackchannelLogoutOptions): RequestHandler {
  return async (request, response, next) => {
    const form = await readBody(request, 'application/x-www-form-urlencoded', maxBodyBytes);
    const text = onlyValue(new URLSearchParams(form), 'logout_token');
    const address = text === undefined ? undefined : claimedAddress(text);
    const idp =
      address && [...options.idps.values()].find((registered) => registered.isAddressed(address));
    if (text === undefined || idp === undefined) throw new RefusedError('bad_logout_token');
    const token = await idp.verifyLogoutToken(text).catch(ifRefused);
    if (token instanceof LogoutTokenError) {
      response.locals[refusedToken] = { idp: idp.id, error: token } satisfies RefusedToken;
      next();
      return;
    }
    await end(options, idp.id, token, correlationOfRequest(request));
    response.status(200).end();
  };
}

/** What is no verdict on the token, such as keys that cannot be had, is not counted against anybody. */
function ifRefused(error: unknown): LogoutTokenError {
  if (error instanceof LogoutTokenError) return error;
  throw error;
}

/** The registration whose limit this request counts against. */
export function misnamedIdp(request: Request): string | undefined {
  return (request.res?.locals[refusedToken] as RefusedToken | undefined)?.idp;
}

/** Answers a token that does not hold, once it has been counted. */
export function refuseLogoutToken(): RequestHandler {
  return (_request, response) => {
    throw (response.locals[refusedToken] as RefusedToken).error;
  };
}

async function end(
  { revocations, logoutTokens, events }: BackchannelLogoutOptions,
  idp: string,
  { iss, jti, sid, sub }: LogoutToken,
  correlation: Correlation | undefined,
): Promise<void> {
  // With both, the provider means the one session (§2.4); without sid every session of the account.
  const owner = sid === undefined ? subOwner(iss, sub ?? '') : sidOwner(iss, sid);
  const done = await orUnavailable(logoutTokens.revocationOf(iss, jti));
  if (done !== undefined) {
    await orUnavailable(revocations.sweep({ owner, seq: done }, correlation));
    return;
  }
  const told = (ended: number): void =>
    events.revoked({ kind: owner.kind, cause: 'back_channel', ended, idp }, correlation);
  const { seq } = await orUnavailable(revocations.revokeAll(owner, told, correlation));
  // The sessions are gone: that this cannot be noted down must not make the provider ask again.
  await logoutTokens.record(iss, jti, seq).catch(() => undefined);
}
