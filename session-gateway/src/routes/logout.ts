import type { Request, RequestHandler, Response } from 'express';
import type { Events } from '../events.js';
import { correlationOfRequest } from '../http/correlate.js';
import { bouncePage, confirmLogoutPage } from '../http/pages.js';
import { RefusedError } from '../http/refused-error.js';
import { originOf, wantsJson } from '../http/request-facts.js';
import { isDeliberateNavigation, provesSameOrigin } from '../http/same-origin.js';
import { sendPage } from '../http/send-answer.js';
import type { SessionCookies } from '../http/session-cookies.js';
import type { IdentityProvider } from '../oidc/identity-provider.js';
import type { ClosedSession, SessionLifecycle } from '../sessions/session-lifecycle.js';

export interface LogoutOptions {
  readonly idps: ReadonlyMap<string, IdentityProvider>;
  /** Whose logout a browser without a session is sent to. */
  readonly defaultIdp: IdentityProvider;
  readonly sessions: Pick<SessionLifecycle, 'close' | 'handleOf'>;
  readonly cookies: SessionCookies;
  readonly publicOrigin: string;
  readonly events: Pick<Events, 'loggedOut'>;
}

/** `GET /logout`: acts only when a person came here on purpose; otherwise asks, and touches nothing. */
export function logoutPage(options: LogoutOptions): RequestHandler {
  return async (request, response) => {
    if (!isDeliberateNavigation(originOf(request))) {
      // Under no-referrer its form would post `Origin: null` (ATTACKS 23).
      response.set('Referrer-Policy', 'same-origin');
      sendPage(response, confirmLogoutPage());
      return;
    }
    response
      .status(303)
      .set('Location', await end(options, request, response))
      .end();
  };
}

/** `POST /logout`, with proof that one of our own pages asks. */
export function logout(options: LogoutOptions): RequestHandler {
  return async (request, response) => {
    if (!provesSameOrigin(originOf(request), options.publicOrigin)) {
      throw new RefusedError('no_csrf_proof');
    }
    const logoutUrl = await end(options, request, response);
    if (wantsJson(request)) response.json({ logoutUrl });
    // Not a 303: `form-action 'self'` would block the way to the provider (ATTACKS 23, tried).
    else sendPage(response, bouncePage(logoutUrl));
  };
}

/**
 * Both records go first: if that fails the cookies stay, and the person can try again. Then the
 * cookies, then the provider's own session.
 * @returns where the browser goes next
 */
async function end(options: LogoutOptions, request: Request, response: Response): Promise<string> {
  const { sessions, cookies, events } = options;
  const id = cookies.idOf(request);
  const handles = [id === undefined ? undefined : sessions.handleOf(id), cookies.refOf(request)];
  const correlation = correlationOfRequest(request);
  const closed: ClosedSession[] = [];
  const told = (session: ClosedSession) => closed.push(session);
  try {
    for (const handle of new Set(handles)) {
      if (handle !== undefined) await sessions.close(handle, told, 'closed', correlation);
    }
  } catch (error) {
    // Ended, but for the replicas' word: the next try finds nothing that it could tell of.
    if (closed.length > 0) events.loggedOut(closed, correlation);
    throw error;
  }
  cookies.clear(response);
  events.loggedOut(closed, correlation);
  const idp = options.idps.get(closed[0]?.idp ?? '') ?? options.defaultIdp;
  return idp.endSession(closed[0]?.tokens?.idToken);
}
