import type { BlockList } from 'node:net';
import { clearCookie, readCookie } from '@sallyport/shared';
import type { Request, RequestHandler } from 'express';
import type { Events, LoggedIn } from '../events.js';
import { correlationOfRequest } from '../http/correlate.js';
import { deviceOf } from '../http/device.js';
import { bouncePage } from '../http/pages.js';
import { problemCodeOf, type ProblemCode } from '../http/problems.js';
import { onlyValue, queryOf, wantsPage } from '../http/request-facts.js';
import { safeReturnUrl } from '../http/return-url.js';
import { sendPage } from '../http/send-answer.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { AuthorizationRequestStore } from '../oidc/authorization-request-store.js';
import {
  bindingCookieName,
  isState,
  type AuthorizationRequest,
} from '../oidc/authorization-request.js';
import { IdentityProviderError } from '../oidc/identity-provider-error.js';
import type { IdentityProvider } from '../oidc/identity-provider.js';
import type { GrantSources } from '../permissions/grant-sources.js';
import type { PermissionPushes } from '../sessions/permission-pushes.js';
import type { OpenedSession, SessionLifecycle } from '../sessions/session-lifecycle.js';
import { orUnavailable } from '../sessions/store-unavailable.js';

export interface CallbackOptions {
  readonly idps: ReadonlyMap<string, IdentityProvider>;
  readonly requests: AuthorizationRequestStore;
  readonly permissions: Pick<GrantSources, 'grantsOf'>;
  readonly sessions: Pick<SessionLifecycle, 'open' | 'handleOf' | 'close' | 'grantOpened'>;
  readonly pushes: Pick<PermissionPushes, 'anySince'>;
  readonly cookies: SessionCookies;
  readonly publicOrigin: string;
  readonly trustedProxies: BlockList;
  readonly events: Pick<
    Events,
    'loginReturned' | 'loginCompleted' | 'loginUnknown' | 'loginFailed' | 'failed'
  >;
}

/**
 * `GET /login/oauth2/code/{idp}`, `/auth/callback` and `/auth/callback/{idp}`: completes the login this
 * browser began, once.
 */
export function callback(options: CallbackOptions): RequestHandler {
  const { cookies, publicOrigin, events } = options;
  return async (request, response, next) => {
    const begun = await consume(options, request);
    if (begun === undefined) {
      next();
      return;
    }
    const { transaction, state } = begun;
    const correlation = correlationOfRequest(request);
    response.appendHeader('Set-Cookie', clearCookie(bindingCookieName(state), 'Lax'));
    events.loginReturned(transaction.idp);
    try {
      const { opened, who } = await complete(options, request, transaction, state);
      cookies.set(response, opened);
      events.loginCompleted(transaction.idp, who, correlation);
    } catch (error) {
      const code = problemCodeOf(error);
      events.loginFailed(transaction.idp, code, error, correlation);
      const page = failurePage(code, transaction.returnUrl, publicOrigin);
      if (page === undefined || !wantsPage(request)) throw error;
      events.failed(code, error, correlation);
      response.locals['reason'] = code;
      response.status(303).set('Location', page).end();
      return;
    }
    sendPage(response, bouncePage(checkedAgain(transaction.returnUrl, publicOrigin)));
  };
}

/**
 * Late, repeated or not of this browser. A live session cannot be seen here (its cookie is Strict), so
 * nothing is touched and the front page finds out (ATTACKS 24).
 */
export function lateCallback({
  publicOrigin,
  events,
}: Pick<CallbackOptions, 'publicOrigin' | 'events'>): RequestHandler {
  return (request, response) => {
    events.loginUnknown(correlationOfRequest(request));
    sendPage(response, bouncePage(`${publicOrigin}/`));
  };
}

/** The transaction, only for the browser that holds its binding cookie. */
async function consume(
  { requests }: CallbackOptions,
  request: Pick<Request, 'url' | 'headers'>,
): Promise<{ transaction: AuthorizationRequest; state: string } | undefined> {
  const state = onlyValue(queryOf(request), 'state');
  if (state === undefined || !isState(state)) return undefined;
  const binding = readCookie(request.headers.cookie, bindingCookieName(state));
  if (binding.outcome !== 'one') return undefined;
  const transaction = await orUnavailable(requests.consume(state, binding.value));
  return transaction === undefined ? undefined : { transaction, state };
}

async function complete(
  { idps, permissions, sessions, cookies, pushes, trustedProxies }: CallbackOptions,
  request: Request,
  transaction: AuthorizationRequest,
  state: string,
): Promise<{ opened: OpenedSession; who: LoggedIn }> {
  const idp = idps.get(transaction.idp);
  // An answer that comes in by another redirect URI than the one sent was mixed up (RFC 9700 §4.4).
  if (idp === undefined || request.path !== new URL(transaction.redirectUri).pathname) {
    throw new IdentityProviderError('bad_idp_answer', 'other_callback');
  }
  const correlation = correlationOfRequest(request);
  const login = await idp.complete(transaction, state, queryOf(request), correlation);
  const grants = await permissions.grantsOf(login.profile, correlation);
  const id = cookies.idOf(request);
  const replaced = [
    ...(id === undefined ? [] : [sessions.handleOf(id)]),
    ...[cookies.refOf(request)].filter((handle) => handle !== undefined),
  ];
  const { seq } = transaction;
  const device = deviceOf(request, trustedProxies);
  // Asked again: what was pushed meanwhile could not reach a session that was not there (ATTACKS 12).
  const isOutdated = () => orUnavailable(pushes.anySince(grants.userId, seq));
  const opened = await sessions.open(login, grants, seq, replaced, {
    device,
    isOutdated,
    correlation,
  });
  try {
    if (opened.isOutdated) {
      const granted = await permissions.grantsOf(login.profile, correlation);
      await sessions.grantOpened(opened.handle, granted);
    }
  } catch (error) {
    await sessions.close(opened.handle, undefined, 'closed', correlation).catch(() => undefined);
    throw error;
  }
  return { opened, who: { userId: grants.userId, handle: opened.handle, device } };
}

const loginFailures = new Set<ProblemCode>([
  'login_denied',
  'login_refused',
  'bad_idp_answer',
  'login_revoked',
]);
const faults = new Set<ProblemCode>(['idp_unreachable', 'idp_unsuitable', 'internal']);

/** Where the front end explains a failure; undefined where the gateway's own page does (DESIGN §4). */
function failurePage(
  code: ProblemCode,
  returnUrl: string,
  publicOrigin: string,
): string | undefined {
  if (faults.has(code)) return `${publicOrigin}/oops`;
  const isSilent = code === 'login_required';
  if (!isSilent && !loginFailures.has(code)) return undefined;
  const query = new URLSearchParams({
    // `prompt=none` got its answer: the front end decides, nothing here asks again by itself.
    error: isSilent ? 'login_required' : 'auth_failed',
    returnUrl: checkedAgain(returnUrl, publicOrigin),
  });
  return `${publicOrigin}/login?${query.toString()}`;
}

/** It lay in Redis for up to ten minutes; it is judged wherever it is written (ATTACKS 19). */
function checkedAgain(returnUrl: string, publicOrigin: string): string {
  return safeReturnUrl(returnUrl, publicOrigin) ?? `${publicOrigin}/`;
}
