import type { RequestHandler } from 'express';
import { sendClearCookiesPage } from '../http/clear-cookies-page.js';
import { clearedCookiesPage } from '../http/pages.js';
import { RefusedError } from '../http/refused-error.js';
import { originOf } from '../http/request-facts.js';
import { provesSameOrigin } from '../http/same-origin.js';
import { sendPage } from '../http/send-answer.js';
import type { SessionCookies } from '../http/session-cookies.js';

export interface ClearCookiesOptions {
  readonly publicOrigin: string;
  readonly cookies: Pick<SessionCookies, 'clear'>;
}

/** `GET /auth/clear-cookies`: the button, and nothing else. */
export function offerClearCookies(): RequestHandler {
  return (_request, response) => sendClearCookiesPage(response);
}

/**
 * `POST /auth/clear-cookies`: only the browser can remove a cookie that a sibling site planted beside
 * ours (ATTACKS 26). That also ends the login in this browser, so it takes a press on our own page.
 */
export function clearCookies({ publicOrigin, cookies }: ClearCookiesOptions): RequestHandler {
  return (request, response) => {
    if (!provesSameOrigin(originOf(request), publicOrigin)) throw new RefusedError('no_csrf_proof');
    cookies.clear(response);
    response.set('Clear-Site-Data', '"cookies"');
    sendPage(response, clearedCookiesPage());
  };
}
