import {
  clearCookie,
  readCookie,
  returnCookieName,
  setCookie,
  type Clock,
} from '@sallyport/shared';
import type { Request, RequestHandler, Response } from 'express';
import type { Events } from '../events.js';
import { correlationOfRequest } from '../http/correlate.js';
import { confirmLoginPage } from '../http/pages.js';
import { problemCodeOf } from '../http/problems.js';
import { readBody } from '../http/read-body.js';
import { RefusedError } from '../http/refused-error.js';
import { onlyValue, originOf, queryOf, wantsPage } from '../http/request-facts.js';
import { chooseReturnUrl, safeReturnUrl } from '../http/return-url.js';
import { provesSameOrigin } from '../http/same-origin.js';
import { sendPage } from '../http/send-answer.js';
import { authorizationParameters } from '../oidc/authorization-parameters.js';
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
  readonly defaultIdp: IdentityProvider;
  readonly requests: AuthorizationRequestStore;
  readonly revocations: Pick<Revocations, 'sequence'>;
  readonly publicOrigin: string;
  /** Ask a person whom a link of another site brought here before a login begins. */
  readonly confirmCrossSite: boolean;
  readonly clock: Clock;
  readonly events: Pick<Events, 'loginStarted' | 'loginFailed'>;
}

const maxFormBytes = 16 * 1024;

/**
 * `GET /oauth2/authorization/{idp}?returnUrl=` and `GET /auth/login?idp=`: begins a login, one
 * transaction per tab. A link of another site only gets a page with one button (ASVS 7.6.2).
 */
export function login(options: LoginOptions): RequestHandler<{ idp?: string }> {
  return async (request, response) => {
    const query = queryOf(request);
    const idp = idpOf(options, request.params.idp ?? onlyValue(query, 'idp'));
    if (options.confirmCrossSite && originOf(request).secFetchSite === 'cross-site') {
      sendPage(response, confirmLoginPage(ownStart(idp.id, query, options.publicOrigin)));
      return;
    }
    const url = await begin(options, idp, query, request, response);
    response.status(302).set('Location', url).end();
  };
}

/** `POST /auth/signin`: the same from a form of ours; a form of another site gets the button. */
export function signin(options: LoginOptions): RequestHandler {
  return async (request, response) => {
    const query = await formOrQuery(request);
    const idp = idpOf(options, onlyValue(query, 'idp'));
    if (!provesSameOrigin(originOf(request), options.publicOrigin)) {
      if (!wantsPage(request)) throw new RefusedError('no_csrf_proof');
      sendPage(response, confirmLoginPage(ownStart(idp.id, query, options.publicOrigin)));
      return;
    }
    const url = await begin(options, idp, query, request, response);
    response.status(303).set('Location', url).end();
  };
}

function idpOf({ idps, defaultIdp }: LoginOptions, id: string | undefined): IdentityProvider {
  const idp = id === undefined ? defaultIdp : idps.get(id);
  if (idp === undefined) throw new RefusedError('not_found');
  return idp;
}

async function formOrQuery(request: Request): Promise<URLSearchParams> {
  if (request.get('content-type') === undefined) return queryOf(request);
  const form = await readBody(request, 'application/x-www-form-urlencoded', maxFormBytes);
  return form === '' ? queryOf(request) : new URLSearchParams(form);
}

/** @returns where to send the browser; its cookies are on the answer */
async function begin(
  options: LoginOptions,
  idp: IdentityProvider,
  query: URLSearchParams,
  request: Request<{ idp?: string }>,
  response: Response,
): Promise<string> {
  const { requests, revocations, publicOrigin, clock, events } = options;
  const correlation = correlationOfRequest(request);
  const saved = savedReturnUrl(request);
  const parameters = authorizationParameters(query);
  try {
    const begun = newAuthorizationRequest(
      {
        idp: idp.id,
        // From the setting, never from Host: that header is the client's.
        redirectUri: publicOrigin + idp.callbackPath,
        returnUrl: chooseReturnUrl([onlyValue(query, 'returnUrl'), saved], publicOrigin),
        // At the very start: a revocation from now on ends this login too (ATTACKS 9).
        seq: await orUnavailable(revocations.sequence()),
        ...(await idp.newProofKey()),
        ...(parameters.max_age === undefined ? {} : { maxAge: Number(parameters.max_age) }),
      },
      clock(),
    );
    const url = await idp.begin(begun.request, begun.state, parameters, correlation);
    await orUnavailable(requests.save(begun.state, begun.request));
    setBinding(request, response, begun, saved !== undefined);
    events.loginStarted(idp.id);
    return url;
  } catch (error) {
    events.loginFailed(idp.id, problemCodeOf(error), error, correlation);
    throw error;
  }
}

function setBinding(
  request: Pick<Request, 'headers'>,
  response: Response,
  { state, binding }: { readonly state: string; readonly binding: string },
  hasSaved: boolean,
): void {
  for (const surplus of surplusBindingCookies(request.headers.cookie)) {
    response.appendHeader('Set-Cookie', clearCookie(surplus, 'Lax'));
  }
  if (hasSaved) response.appendHeader('Set-Cookie', clearCookie(returnCookieName, 'Lax'));
  // Lax: a Strict cookie does not come back with the callback in any engine (REAL-PARTS).
  const attributes = { sameSite: 'Lax', maxAgeSeconds: loginLifetimeSeconds } as const;
  response.appendHeader('Set-Cookie', setCookie(bindingCookieName(state), binding, attributes));
}

/** The address of the same login, of parts that have been judged: what the button leads to. */
function ownStart(idp: string, query: URLSearchParams, publicOrigin: string): string {
  const wishes = new URLSearchParams(authorizationParameters(query));
  const returnUrl = safeReturnUrl(onlyValue(query, 'returnUrl'), publicOrigin);
  if (returnUrl !== undefined) wishes.set('returnUrl', returnUrl);
  const text = wishes.toString();
  return `/oauth2/authorization/${encodeURIComponent(idp)}${text === '' ? '' : `?${text}`}`;
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
