import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { people } from '@sallyport/demo/idp/people';
import {
  apiCaller,
  count,
  fillLoginForm,
  requestsOf,
  startForeignSite,
  starts,
  startVisitors,
  type ForeignSite,
  type Visitors,
} from '../support/visitors.js';
import { loginsFromElsewhere } from './logins-from-elsewhere.js';
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

  const callbacks = (requests: readonly string[]): number =>
    count(requests, 'GET /login/oauth2/code/idp');
  const startUrl = (returnUrl: string): string =>
    `${origin}/oauth2/authorization/idp?returnUrl=${encodeURIComponent(returnUrl)}`;

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
  loginsFromElsewhere(
    () => v,
    () => foreign,
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
