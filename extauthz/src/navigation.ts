import { returnCookieName, setCookie } from '@sallyport/shared';
import { denyReasons, type DenyReason } from './decision.js';
import type { Denial } from './denial.js';
import { bouncePage, clearedPage, clearPage, pageHeaders } from './pages.js';
import type { RequestFacts } from './request-facts.js';

export interface LoginSettings {
  readonly loginUrl: string;
  readonly publicOrigin: string;
}

/** In the query of a page that was bounced once: the second time the answer is the login. */
export const bounceMarker = '__bounce=1';
/** In the query of the link on the clear-cookies page. */
export const clearMarker = '__clear=1';

const returnLifetimeSeconds = 600;
/** As long as the gateway accepts a return URL. */
const maxReturnUrl = 2048;
/** Encoded. With name and attributes it stays below the 4096 bytes that browsers keep of a cookie. */
const maxReturnCookie = 3800;

/**
 * The answer for a person who opened a page, where it differs from the one for a program: undefined
 * leaves the problem JSON. Only for what a login can mend (401), and for two session cookies.
 */
export function pageFor(
  reason: DenyReason,
  facts: RequestFacts,
  login: LoginSettings | undefined,
): Denial | undefined {
  const { status } = denyReasons[reason];
  const isCookieTrouble = reason === 'ambiguous_credential' && facts.authorization === undefined;
  if ((status !== 401 || login === undefined) && !isCookieTrouble) return undefined;
  if (!isNavigation(facts)) return undefined;
  if (isCookieTrouble) return cookieTrouble(facts);
  return login === undefined ? undefined : loginOrBounce(facts, login);
}

/** Whether a person's browser is about to show the answer as a page of its own. */
export function isNavigation({ method, headers }: RequestFacts): boolean {
  if (method !== 'GET' || headers['x-requested-with'] !== undefined) return false;
  const mode = headers['sec-fetch-mode'];
  if (mode === undefined) return headers.accept?.includes('text/html') === true;
  const destination = headers['sec-fetch-dest'];
  // A frame could not show the login anyway: it refuses to be framed.
  return mode === 'navigate' && (destination === undefined || destination === 'document');
}

/**
 * A Strict cookie does not come with a navigation from another site, so a person who is logged in
 * looks logged out there: a page of ours that asks again is sent the cookie (DESIGN §3, ATTACKS 24).
 */
function loginOrBounce(facts: RequestFacts, login: LoginSettings): Denial | undefined {
  const { url, marked } = ownUrl(facts.target, login.publicOrigin, bounceMarker) ?? {};
  if (url === undefined) return undefined;
  const site = facts.headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none' || marked) return loginRedirect(url, login);
  const again = new URL(url);
  again.search = again.search === '' ? `?${bounceMarker}` : `${again.search}&${bounceMarker}`;
  return { status: 401, headers: pageHeaders(401), body: bouncePage(again.href) };
}

/**
 * The way back goes into the address and into a cookie, each with its own limit: whole, or without its
 * query, or as the front page, and never half a URL. There always is a cookie: one of an earlier page
 * that stayed would lead there.
 */
function loginRedirect(url: URL, { loginUrl, publicOrigin }: LoginSettings): Denial {
  const frontPage = `${publicOrigin}/`;
  const ways = [url.href, `${url.origin}${url.pathname}`].filter(
    ({ length }) => length <= maxReturnUrl,
  );
  const encoded = [...ways, frontPage].map(encodeURIComponent);
  const saved = encoded.find(({ length }) => length <= maxReturnCookie) ?? '';
  const attributes = { sameSite: 'Lax', maxAgeSeconds: returnLifetimeSeconds } as const;
  const separator = loginUrl.includes('?') ? '&' : '?';
  return {
    status: 302,
    headers: [
      ['location', `${loginUrl}${separator}returnUrl=${encoded[0] ?? ''}`],
      ['cache-control', 'no-store'],
      ['set-cookie', setCookie(returnCookieName, saved, attributes)],
    ],
    body: '',
  };
}

/**
 * A sibling domain can plant a second session cookie that only the browser can remove (ATTACKS 26).
 * That also ends the login, so it takes a click on our own page: a link from elsewhere must not do it.
 */
function cookieTrouble({ target, headers }: RequestFacts): Denial {
  const query = target.includes('?') ? target.slice(target.indexOf('?') + 1) : '';
  const clicked =
    query.split('&').includes(clearMarker) &&
    headers['sec-fetch-site'] === 'same-origin' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-user'] === '?1';
  return clicked
    ? {
        status: 400,
        headers: [...pageHeaders(400), ['clear-site-data', '"cookies"']],
        body: clearedPage(),
      }
    : { status: 400, headers: pageHeaders(400), body: clearPage(`?${clearMarker}`) };
}

/**
 * The request's own URL, absolute, without our marker. Parsed and compared again as it is emitted:
 * only what the WHATWG parser makes of it is judged (ATTACKS 19).
 */
function ownUrl(
  target: string,
  publicOrigin: string,
  marker: string,
): { url: URL; marked: boolean } | undefined {
  if (!target.startsWith('/') || target.startsWith('//')) return undefined;
  const [path = '', ...rest] = target.split('?');
  const parts = rest.join('?').split('&');
  const kept = parts.filter((part) => part !== marker);
  const query = kept.join('&');
  const text = `${publicOrigin}${path}${query === '' ? '' : `?${query}`}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  url.hash = '';
  if (url.origin !== publicOrigin || url.pathname.startsWith('//')) return undefined;
  return { url, marked: kept.length < parts.length };
}
