import { describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { safeReturnUrl } from '../../../session-gateway/src/http/return-url.js';
import { denialOf } from '../../../extauthz/src/answer.js';
import { deny, denyReasons, type DenyReason } from '../../../extauthz/src/decision.js';
import type { InboundHeaders } from '../../../extauthz/src/request-facts.js';
import { cookieName, someFacts } from '../../support/facts.js';

const publicOrigin = 'https://app.example.com';
const login = { loginUrl: `${publicOrigin}/login`, publicOrigin };
const navigate: InboundHeaders = {
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
  accept: 'text/html,*/*',
};
const crossSite = { ...navigate, 'sec-fetch-site': 'cross-site' };

const answer = (
  headers: InboundHeaders,
  parts: Parameters<typeof someFacts>[0] = {},
  reason: DenyReason = 'no_credential',
) => {
  const facts = someFacts({ cookie: undefined, ...parts, headers });
  const denial = denialOf(deny(reason), facts, { cookieName, login });
  return { ...denial, headers: Object.fromEntries(denial.headers) };
};
const kind = ({ status, headers }: ReturnType<typeof answer>): string =>
  status === 302
    ? 'login'
    : headers['content-type']?.startsWith('text/html')
      ? 'bounce'
      : 'problem';

describe('denialOf, for a person without a session', () => {
  const cases: [string, InboundHeaders, string, string][] = [
    ['an address typed in', navigate, 'GET', 'login'],
    ['a link of our own', { ...navigate, 'sec-fetch-site': 'same-origin' }, 'GET', 'login'],
    ['a link from another site', crossSite, 'GET', 'bounce'],
    ['a link from a sibling', { ...navigate, 'sec-fetch-site': 'same-site' }, 'GET', 'bounce'],
    ['an old browser', { accept: 'text/html' }, 'GET', 'bounce'],
    ['a frame', { ...navigate, 'sec-fetch-dest': 'iframe' }, 'GET', 'problem'],
    ['fetch()', { 'sec-fetch-mode': 'cors', accept: 'text/html' }, 'GET', 'problem'],
    ['an image', { 'sec-fetch-mode': 'no-cors' }, 'GET', 'problem'],
    ['a program', { accept: 'application/json' }, 'GET', 'problem'],
    ['a program that says nothing', {}, 'GET', 'problem'],
    ['an XHR', { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' }, 'GET', 'problem'],
    ['a form', { ...navigate, 'sec-fetch-site': 'same-origin' }, 'POST', 'problem'],
    ['a HEAD', navigate, 'HEAD', 'problem'],
  ];
  it.each(cases)('answers %s rightly', (_who, headers, method, expected) => {
    expect(kind(answer(headers, { method }))).toBe(expected);
  });

  it.each(Object.keys(denyReasons) as DenyReason[])(
    'sends %s to the login only if it is a 401',
    (reason) => {
      const { status } = denyReasons[reason];
      expect(answer(navigate, { authorization: 'Bearer x' }, reason).status).toBe(
        status === 401 ? 302 : status,
      );
    },
  );

  it('answers people like programs where no login is configured', () => {
    const facts = someFacts({ cookie: undefined, headers: navigate });
    expect(denialOf(deny('no_credential'), facts, { cookieName }).status).toBe(401);
  });

  it('returns a person to the very URL, by parameter and by cookie, and keeps no copy', () => {
    const { headers } = answer(navigate, { target: '/api/report?from=a b&to=%C3%A9' });
    const url = `${publicOrigin}/api/report?from=a%20b&to=%C3%A9`;
    expect(headers).toEqual({
      location: `${publicOrigin}/login?returnUrl=${encodeURIComponent(url)}`,
      'cache-control': 'no-store',
      'set-cookie': `__Host-return=${encodeURIComponent(url)}; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax`,
    });
    expect(safeReturnUrl(url, publicOrigin)).toBe(url);
  });

  it('bounces once: the second time is the login, without the marker in the return URL', () => {
    const first = answer(crossSite, { target: '/api/x?a=1' });
    expect(first.status).toBe(401);
    expect(first.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    expect(first.headers).toHaveProperty('www-authenticate');
    const [, href = ''] = /http-equiv="refresh" content="0;url=([^"]*)"/.exec(first.body) ?? [];
    const again = new URL(href.replaceAll('&amp;', '&'));
    expect(again.href).toBe(`${publicOrigin}/api/x?a=1&__bounce=1`);
    const second = answer(crossSite, { target: `${again.pathname}${again.search}` });
    expect(second.headers['location']).toBe(
      `${login.loginUrl}?returnUrl=${encodeURIComponent(`${publicOrigin}/api/x?a=1`)}`,
    );
  });

  it.each(['/api/x?"><script>alert(1)</script>', "/api/x?'onload=x", '/api/x?a=1&lt;&quot;'])(
    'writes %s into no markup',
    (target) => {
      const { body } = answer(crossSite, { target });
      expect(body).not.toContain('<script');
      expect(body.match(/content="0;url=[^"<>]*"/g)).toHaveLength(1);
      expect(body.match(/ href="[^"<>]*"/g)).toHaveLength(1);
    },
  );

  it.each([
    '//evil.example/x',
    '/\\evil.example',
    'https://evil.example/',
    '/.//evil.example',
    '/..//evil',
    '',
  ])('sends nobody off to %j', (target) => {
    for (const headers of [navigate, crossSite]) {
      const { status, headers: got, body } = answer(headers, { target });
      if (status === 302) {
        const url = new URL(got['location'] ?? '').searchParams.get('returnUrl') ?? '';
        expect(new URL(url).origin).toBe(publicOrigin);
        expect(new URL(url).pathname.startsWith('//')).toBe(false);
      }
      expect(body).not.toMatch(/url=https?:\/\/evil/);
    }
  });

  describe('with a long way back', () => {
    const page = `${publicOrigin}/api/x`;
    const front = `${publicOrigin}/`;
    const waysOf = (target: string) => {
      const { headers } = answer(navigate, { target });
      const line = headers['set-cookie'] ?? '';
      const [, value = ''] = /^__Host-return=([^;]*); Max-Age=600; /.exec(line) ?? [];
      const location = new URL(headers['location'] ?? '');
      return {
        parameter: location.searchParams.get('returnUrl'),
        saved: decodeURIComponent(value),
        bytes: Buffer.byteLength(line),
      };
    };

    it.each<[string, string, string, string]>([
      ['that fits both', `/api/x?q=${'a'.repeat(1900)}`, 'whole', 'whole'],
      ['that is too long', `/api/x?q=${'a'.repeat(5000)}`, page, page],
      ['whose path is too long', `/api/${'a'.repeat(5000)}`, front, front],
      // Every other character becomes three in the cookie.
      ['whose query grows by encoding', `/api/x?${'&='.repeat(900)}`, 'whole', page],
      ['whose path grows by encoding', `/api/${'&='.repeat(900)}`, 'whole', front],
      ['encoded twice', `/api/x?q=${'%C3%A9'.repeat(320)}`, 'whole', 'whole'],
    ])('%s: address and cookie are whole or shorter', (_which, target, parameter, saved) => {
      const whole = new URL(target, publicOrigin).href;
      const found = waysOf(target);
      expect(found.parameter).toBe(parameter === 'whole' ? whole : parameter);
      expect(found.saved).toBe(saved === 'whole' ? whole : saved);
    });

    it('of any length: the cookie is one that browsers keep, and no half of a URL', () => {
      for (const piece of ['a', '&=', '%C3%A9', '/']) {
        for (let times = 1; times * piece.length < 2600; times += 37) {
          for (const target of [`/api/x?${piece.repeat(times)}`, `/api/x/${piece.repeat(times)}`]) {
            const whole = new URL(target, publicOrigin);
            const { parameter, saved, bytes } = waysOf(target);
            expect(bytes).toBeLessThan(4096);
            const sensible = [whole.href, whole.origin + whole.pathname, front];
            expect(sensible).toContain(parameter);
            expect(sensible).toContain(saved);
          }
        }
      }
    });
  });
});

describe('denialOf, for two session cookies', () => {
  const cookie = `${cookieName}=${newSessionId()}; ${cookieName}=${newSessionId()}`;
  const trouble = (headers: InboundHeaders, target = '/api/x') =>
    answer(headers, { cookie, target }, 'ambiguous_credential');

  it('offers a person to clear the cookies, by a link of our own page', () => {
    const { status, headers, body } = trouble(navigate);
    expect(status).toBe(400);
    expect(body).toContain('href="?__clear=1"');
    expect(headers).not.toHaveProperty('clear-site-data');
  });

  it('clears only for a click on our own page', () => {
    const clicked = { ...navigate, 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' };
    expect(trouble(clicked, '/api/x?__clear=1').headers['clear-site-data']).toBe('"cookies"');
    for (const headers of [
      { ...clicked, 'sec-fetch-site': 'cross-site' },
      { ...clicked, 'sec-fetch-site': 'same-site' },
      { ...clicked, 'sec-fetch-user': '' },
      { accept: 'text/html' },
    ]) {
      expect(trouble(headers, '/api/x?__clear=1').headers).not.toHaveProperty('clear-site-data');
    }
    expect(trouble(clicked).headers).not.toHaveProperty('clear-site-data');
  });

  it('answers a program with the problem', () => {
    expect(trouble({}).headers['content-type']).toBe('application/problem+json');
  });
});
