import { sidOwner, subOwner } from '@sallyport/shared';
import type { RequestHandler } from 'express';
import type { Events } from '../events.js';
import { readBody } from '../http/read-body.js';
import { RefusedError } from '../http/refused-error.js';
import { onlyValue } from '../http/request-facts.js';
import type { IdentityProvider } from '../oidc/identity-provider.js';
import { claimedAddress, type LogoutToken } from '../oidc/logout-token.js';
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

/**
 * `POST /auth/backchannel-logout` (OIDC Back-Channel Logout 1.0): the provider itself asks, and its
 * signature is the authority; no cookie is looked at. 200 once both records of every session are gone.
 */
export function backchannelLogout(options: BackchannelLogoutOptions): RequestHandler {
  return async (request, response) => {
    const form = await readBody(request, 'application/x-www-form-urlencoded', maxBodyBytes);
    const text = onlyValue(new URLSearchParams(form), 'logout_token');
    const address = text === undefined ? undefined : claimedAddress(text);
    const idp =
      address && [...options.idps.values()].find((registered) => registered.isAddressed(address));
    if (text === undefined || idp === undefined) throw new RefusedError('bad_logout_token');
    await end(options, idp.id, await idp.verifyLogoutToken(text));
    response.status(200).end();
  };
}

async function end(
  { revocations, logoutTokens, events }: BackchannelLogoutOptions,
  idp: string,
  { iss, jti, sid, sub }: LogoutToken,
): Promise<void> {
  // With both, the provider means the one session (§2.4); without sid every session of the account.
  const owner = sid === undefined ? subOwner(iss, sub ?? '') : sidOwner(iss, sid);
  const done = await orUnavailable(logoutTokens.revocationOf(iss, jti));
  if (done !== undefined) {
    await orUnavailable(revocations.sweep({ owner, seq: done }));
    return;
  }
  const told = (ended: number): void =>
    events.revoked({ kind: owner.kind, cause: 'back_channel', ended, idp });
  const { seq } = await orUnavailable(revocations.revokeAll(owner, told));
  // The sessions are gone: that this cannot be noted down must not make the provider ask again.
  await logoutTokens.record(iss, jti, seq).catch(() => undefined);
}
