import {
  clearCookie,
  readCookie,
  returnCookieName,
  setCookie,
  type Clock,
} from '@sallyport/shared';
import type { Request, RequestHandler } from 'express';
import type { Events } from '../events.js';
import { RefusedError } from '../http/refused-error.js';
import { onlyValue, originOf, queryOf } from '../http/request-facts.js';
import { chooseReturnUrl } from '../http/return-url.js';
import { mayBeTopLevelNavigation } from '../http/same-origin.js';
import type { AuthorizationRequestStore } from '../oidc/authorization-request-store.js';
import {
  bindingCookieName,
  loginLifetimeSeconds,
  newAuthorizationRequest,
  surplusBindingCookies,
} from '../oidc/authorization-request.js';
import type { IdentityProvider } from '../oidc/identity-provider.js';
import type { Revocations } from '../sessions/revocations.js';
import { orUnavailable } from '../sessions/store-unavailable.js';

export interface LoginOptions {
  readonly idps: ReadonlyMap<string, IdentityProvider>;
  readonly requests: AuthorizationRequestStore;
  readonly revocations: Pick<Revocations, 'sequence'>;
  readonly publicOrigin: string;
  readonly clock: Clock;
  readonly events: Pick<Events, 'loginStarted'>;
}

/** `GET /oauth2/authorization/{idp}?returnUrl=`: begins a login, one transaction per tab. */
export function login(options: LoginOptions): RequestHandler<{ idp: string }> {
  const { idps, requests, revocations, publicOrigin, clock, events } = options;
  return async (request, response) => {
    const idp = idps.get(request.params.idp);
    if (idp === undefined) throw new RefusedError('not_found');
    if (!mayBeTopLevelNavigation(originOf(request))) throw new RefusedError('not_a_navigation');

    const saved = savedReturnUrl(request);
    const begun = newAuthorizationRequest(
      {
        idp: idp.id,
        // From the setting, never from Host: that header is the client's.
        redirectUri: `${publicOrigin}/login/oauth2/code/${idp.id}`,
        returnUrl: chooseReturnUrl([onlyValue(queryOf(request), 'returnUrl'), saved], publicOrigin),
        // At the very start: a revocation from now on ends this login too (ATTACKS 9).
        seq: await orUnavailable(revocations.sequence()),
        ...(await idp.newProofKey()),
      },
      clock(),
    );
    const url = await idp.begin(begun.request, begun.state);
    await orUnavailable(requests.save(begun.state, begun.request));

    for (const surplus of surplusBindingCookies(request.headers.cookie)) {
      response.append('Set-Cookie', clearCookie(surplus, 'Lax'));
    }
    if (saved !== undefined) response.append('Set-Cookie', clearCookie(returnCookieName, 'Lax'));
    response.append(
      'Set-Cookie',
      // Lax: a Strict cookie does not come back with the callback in any engine (REAL-PARTS).
      setCookie(bindingCookieName(begun.state), begun.binding, {
        sameSite: 'Lax',
        maxAgeSeconds: loginLifetimeSeconds,
      }),
    );
    events.loginStarted(idp.id);
    response.status(302).set('Location', url).end();
  };
}

/** What extauthz saved when it sent a navigation here; percent-encoded to fit a cookie. */
function savedReturnUrl(request: Pick<Request, 'headers'>): string | undefined {
  const cookie = readCookie(request.headers.cookie, returnCookieName);
  if (cookie.outcome !== 'one') return undefined;
  try {
    return decodeURIComponent(cookie.value);
  } catch {
    return '';
  }
}
