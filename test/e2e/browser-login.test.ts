import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { people } from '@sallyport/demo/idp/people';
import type { BrowserContext, Page } from 'playwright-core';
import {
  fillLoginForm,
  requestsOf,
  startForeignSite,
  startVisitors,
  type ForeignSite,
  type Visitors,
} from '../support/visitors.js';
import { tabs } from './tabs.js';

jest.setTimeout(60_000);

const [ada, grace = ada] = people;

/** REAL-PARTS, "Browsers and cookies": what a Strict cookie and a foreign provider do to a login. */
describe('logging in in Chromium', () => {
  let v: Visitors;
  let foreign: ForeignSite;
  let origin: string;
  beforeAll(async () => {
    foreign = await startForeignSite();
    v = await startVisitors('http', { extauthz: { EXTAUTHZ_LOGIN_URL: '/login' } });
    ({ origin } = v.stack);
  });
  afterAll(async () => {
    await foreign.close();
    await v.stop();
  });
  beforeEach(() => foreign.pages.clear());

  const count = (requests: readonly string[], what: string): number =>
    requests.filter((request) => request === what).length;
  const starts = (requests: readonly string[]): number =>
    count(requests, 'GET /oauth2/authorization/idp');
  const callbacks = (requests: readonly string[]): number =>
    count(requests, 'GET /login/oauth2/code/idp');
  const cookieNames = async (context: BrowserContext): Promise<string[]> =>
    (await context.cookies(origin)).map(({ name }) => name);
  const pendingLogins = async (): Promise<number> =>
    (await v.stack.admin().keys('gateway:login:*')).length;
  const startUrl = (returnUrl: string): string =>
    `${origin}/oauth2/authorization/idp?returnUrl=${encodeURIComponent(returnUrl)}`;
  const apiCaller = async (page: Page): Promise<unknown> =>
    JSON.parse(await page.locator('body').innerText());

  async function followForeignLink(page: Page, href: string): Promise<void> {
    foreign.pages.set('/link', `<a id="go" href="${href}">go</a>`);
    await page.goto(`${foreign.origin}/link`);
    await page.click('#go');
  }

  describe.each([
    ['with the provider’s form', false],
    ['silently, the person known at the provider', true],
  ])('%s', (_how, silent) => {
    it('the page after the login is sent the Strict cookie: no loop, no second login', () =>
      v.withContext(async (context) => {
        const page = await context.newPage();
        if (silent) {
          await v.login(page, ada);
          await context.clearCookies({ domain: 'localhost' });
        }
        const requests = requestsOf(context, origin);
        // A page that the edge gates: without the cookie it would begin again.
        await page.goto(`${origin}/api/me`);
        expect(page.url()).toBe(
          `${origin}/login?returnUrl=${encodeURIComponent(`${origin}/api/me`)}`,
        );
        await page.getByRole('link', { name: 'Log in' }).click();
        if (!silent) await fillLoginForm(page, ada);
        await page.waitForURL(({ pathname }) => pathname === '/api/me');
        expect(await apiCaller(page)).toMatchObject({ roles: ['ADMIN'] });
        expect([starts(requests), callbacks(requests)]).toEqual([1, 1]);
        await page.reload();
        expect(await apiCaller(page)).toMatchObject({ roles: ['ADMIN'] });
        // Before the login, after it, and once more: without the cookie it would be bounced to itself.
        expect(count(requests, 'GET /api/me')).toBe(3);
      }));
  });

  it('a gated page that another site links to opens for a person who is logged in', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      await v.login(page, ada);
      const requests = requestsOf(context, origin);
      await followForeignLink(page, `${origin}/api/me?a=b`);
      await page.waitForURL(`${origin}/api/me?a=b&__bounce=1`);
      expect(await apiCaller(page)).toMatchObject({ roles: ['ADMIN'] });
      expect(requests).toEqual(['GET /api/me', 'GET /api/me']);
    }));

  it('a gated page that another site links to leads a stranger to the login, once', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      const requests = requestsOf(context, origin);
      await followForeignLink(page, `${origin}/api/me`);
      await page.getByRole('heading', { name: 'Log in' }).waitFor();
      expect(count(requests, 'GET /api/me')).toBe(2);
      expect(starts(requests)).toBe(0);
    }));

  it('a browser that keeps no cookie is never sent in circles', () =>
    v.withContext(async (context) => {
      await context.route(`${origin}/**`, async (route) => {
        const answer = await route.fetch({ maxRedirects: 0 });
        const headers = Object.entries(answer.headers()).filter(([name]) => name !== 'set-cookie');
        await route.fulfill({ response: answer, headers: Object.fromEntries(headers) });
        await context.clearCookies({ domain: 'localhost' });
      });
      const page = await context.newPage();
      const requests = requestsOf(context, origin);
      await page.goto(startUrl('/api/me'));
      await fillLoginForm(page, ada);
      await page.getByRole('heading', { name: 'You are not logged in' }).waitFor();
      expect(page.url()).toBe(`${origin}/`);
      expect([starts(requests), callbacks(requests)]).toEqual([1, 1]);
    }));

  it('reg-A24: the back button and a repeated callback change nothing for whoever is logged in', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      let callback = '';
      context.on('request', (request) => {
        if (request.url().startsWith(`${origin}/login/oauth2/`)) callback = request.url();
      });
      await v.login(page, grace);
      const before = await context.cookies(origin);
      const second = await context.newPage();
      await second.goto(callback);
      await second.waitForURL(`${origin}/`);
      await v.expectLoggedIn(second, grace);
      expect(await context.cookies(origin)).toEqual(before);
      await page.goBack();
      await page.goto(`${origin}/`);
      await v.expectLoggedIn(page, grace);
      expect(await context.cookies(origin)).toEqual(before);
    }));

  tabs(() => v);

  it('reg-A25: no image, frame, fetch or object of another site begins a login', () =>
    v.withContext(async (context) => {
      const before = await pendingLogins();
      const page = await context.newPage();
      const requests = requestsOf(context, origin);
      const url = startUrl('/');
      foreign.pages.set(
        '/try',
        [
          ...Array.from({ length: 20 }, (_, n) => `<img src="${url}&n=${String(n)}">`),
          `<iframe src="${url}"></iframe><object data="${url}"></object>`,
          `<script src="${url}"></script><link rel="stylesheet" href="${url}">`,
          `<script>fetch(${JSON.stringify(url)}, { mode: 'no-cors', credentials: 'include' })
            .catch(() => undefined).finally(() => (document.title = 'done'))</script>`,
        ].join(''),
      );
      await page.goto(`${foreign.origin}/try`);
      await page.waitForFunction(() => document.title === 'done');
      await page.waitForLoadState('networkidle');
      expect(starts(requests)).toBeGreaterThanOrEqual(24);
      expect(await cookieNames(context)).toEqual([]);
      expect(await pendingLogins()).toBe(before);
    }));

  it.each(['a link', 'a new window', 'a form', 'a script that moves the page'])(
    'reg-A25: %s of another site begins a login only by a press on our own page',
    (way) =>
      v.withContext(async (context) => {
        const before = await pendingLogins();
        const url = startUrl('/api/me');
        const signin = `${origin}/auth/signin`;
        foreign.pages.set(
          '/try',
          {
            'a link': `<a id="go" href="${url}">go</a>`,
            'a new window': `<a id="go" href="${url}" target="_blank">go</a>`,
            'a form': `<form method="post" action="${signin}"><input name="returnUrl" value="/api/me"><button id="go">go</button></form>`,
            'a script that moves the page': `<button id="go" onclick="location.href='${url}'">go</button>`,
          }[way] ?? '',
        );
        const opener = await context.newPage();
        await opener.goto(`${foreign.origin}/try`);
        const opened = way === 'a new window' ? context.waitForEvent('page') : undefined;
        await opener.click('#go');
        const page = (await opened) ?? opener;
        await page.getByRole('heading', { name: 'Log in?' }).waitFor();
        expect(await cookieNames(context)).toEqual([]);
        expect(await pendingLogins()).toBe(before);
        await page.getByRole('link', { name: 'Log in' }).click();
        await fillLoginForm(page, ada);
        await page.waitForURL(({ pathname }) => pathname === '/api/me');
        expect(await apiCaller(page)).toMatchObject({ roles: ['ADMIN'] });
      }),
  );

  it('reg-A22: the page after a login is told no code and no state', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      await page.goto(startUrl('/app-echo'));
      await fillLoginForm(page, ada);
      await page.waitForURL(`${origin}/app-echo`);
      const { headers } = (await apiCaller(page)) as { headers: [string, string][] };
      expect(headers.filter(([name]) => name === 'referer')).toEqual([]);
      expect(JSON.stringify(headers)).not.toMatch(/code=|state=/);
    }));

  it('reg-A20: a login never ends on the logout', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      await page.goto(startUrl('/logout'));
      await fillLoginForm(page, ada);
      await v.expectLoggedIn(page, ada);
    }));

  it('reg-A21: a login from a deep link ends the session that the Strict cookie hides', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      await v.login(page, grace);
      const [old] = (await context.cookies(origin)).filter(({ name }) => name === '__Host-session');
      await followForeignLink(page, startUrl('/'));
      await page.getByRole('link', { name: 'Log in' }).click();
      await v.expectLoggedIn(page, grace);
      const answer = await fetch(`${origin.replace('localhost', '127.0.0.1')}/api/me`, {
        headers: { cookie: `__Host-session=${old?.value ?? ''}` },
      });
      expect(answer.status).toBe(401);
    }));

  it('prompt=none of somebody whom the provider does not know is an answer, not a loop', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      const requests = requestsOf(context, origin);
      await page.goto(`${origin}/auth/login?prompt=none&returnUrl=%2Fapi%2Fme`);
      await page.getByRole('alert').waitFor();
      expect(new URL(page.url()).searchParams.get('error')).toBe('login_required');
      expect(callbacks(requests)).toBe(1);
      await page.getByRole('link', { name: 'Log in' }).click();
      await fillLoginForm(page, ada);
      await page.waitForURL(`${origin}/api/me`);
    }));
});
