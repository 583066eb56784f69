import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newSessionId, type SessionId } from '@sallyport/shared';
import { freePort } from '@sallyport/demo/free-port';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchBrowser } from '../support/browser.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';

jest.setTimeout(60_000);

/**
 * What extauthz answers to people, shown to a real browser: the check port over HTTP is the site
 * here, so that nothing stands between. An allow is an empty page.
 */
describe('the denial pages of extauthz in Chromium', () => {
  let rig: FailureRig;
  let elsewhere: Server;
  const ends: (() => unknown)[] = [];
  let browser: Browser;
  let origin: string;
  let loginUrl: string;
  let foreign: string;

  beforeAll(async () => {
    // The login, and on 127.0.0.1, which is another site than localhost, somebody else's page.
    elsewhere = createServer((request, response) => {
      const target = new URL(request.url ?? '/', 'http://x').searchParams.get('to') ?? '';
      response.setHeader('content-type', 'text/html');
      response.end(`<title>elsewhere</title><a href="${encodeURI(target)}">onward</a>`);
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, resolve));
    ends.push(() => {
      elsewhere.close();
      elsewhere.closeAllConnections();
    });
    const { port } = elsewhere.address() as AddressInfo;
    loginUrl = `http://localhost:${String(port)}/login`;
    foreign = `http://127.0.0.1:${String(port)}/`;
    const httpPort = await freePort();
    origin = `http://localhost:${String(httpPort)}`;
    rig = await startFailureRig({
      env: () => ({
        EXTAUTHZ_HTTP_PORT: String(httpPort),
        PUBLIC_ORIGIN: origin,
        EXTAUTHZ_LOGIN_URL: loginUrl,
      }),
    });
    ends.push(() => rig.close());
    browser = await launchBrowser();
    ends.push(() => browser.close());
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function withPage(test: (page: Page, context: BrowserContext) => Promise<void>) {
    const context = await browser.newContext();
    try {
      await test(await context.newPage(), context);
    } finally {
      await context.close();
    }
  }
  const logIn = (context: BrowserContext, id: SessionId) =>
    context.addCookies([
      {
        name: '__Host-session',
        value: id,
        url: origin.replace('http:', 'https:'),
        secure: true,
        httpOnly: true,
        sameSite: 'Strict',
      },
    ]);
  const followFromElsewhere = async (page: Page, url: string) => {
    await page.goto(`${foreign}?to=${encodeURIComponent(url)}`);
    await page.getByRole('link', { name: 'onward' }).click();
  };
  const isAtLogin = async (page: Page, returnUrl: string) => {
    await page.waitForURL((url) => url.href.startsWith(loginUrl));
    expect(new URL(page.url()).searchParams.get('returnUrl')).toBe(returnUrl);
  };

  it('lead a person without a session to the login, which knows the way back', () =>
    withPage(async (page, context) => {
      await page.goto(`${origin}/api/report?year=2026`);
      await isAtLogin(page, `${origin}/api/report?year=2026`);
      const [saved] = (await context.cookies()).filter(({ name }) => name === '__Host-return');
      expect(saved).toMatchObject({ sameSite: 'Lax', secure: true, httpOnly: true });
      expect(decodeURIComponent(saved?.value ?? '')).toBe(`${origin}/api/report?year=2026`);
    }));

  it('keep a way back as long as a browser keeps cookies, and shorten a longer one', () =>
    withPage(async (page, context) => {
      const saved = async () => {
        const found = (await context.cookies()).filter(({ name }) => name === '__Host-return');
        return decodeURIComponent(found[0]?.value ?? '');
      };
      const whole = `${origin}/api/report?${'&='.repeat(600)}`;
      await page.goto(whole);
      await isAtLogin(page, whole);
      expect(encodeURIComponent(whole).length).toBeGreaterThan(3600);
      expect(await saved()).toBe(whole);

      const longer = `${origin}/api/report?${'&='.repeat(900)}`;
      await page.goto(longer);
      await isAtLogin(page, longer);
      expect(await saved()).toBe(`${origin}/api/report`);
    }));

  it('let in a person who follows a link from another site, where the Strict cookie stays at home', () =>
    withPage(async (page, context) => {
      await logIn(context, await rig.write());
      const statuses: number[] = [];
      page.on('response', (response) => {
        if (response.url().startsWith(`${origin}/api/`)) statuses.push(response.status());
      });
      await followFromElsewhere(page, `${origin}/api/report?year=2026`);
      await page.waitForURL((url) => url.search.includes('__bounce=1'));
      await page.waitForLoadState();
      expect(statuses).toEqual([401, 200]);
    }));

  it('bounce a person without a session once, then lead to the login: no loop', () =>
    withPage(async (page) => {
      const asked: string[] = [];
      page.on('request', (request) => {
        if (request.url().startsWith(`${origin}/api/`)) asked.push(request.url());
      });
      await followFromElsewhere(page, `${origin}/api/report`);
      await isAtLogin(page, `${origin}/api/report`);
      expect(asked).toEqual([`${origin}/api/report`, `${origin}/api/report?__bounce=1`]);
    }));

  it('are none for a script: it gets the reason as JSON, and goes nowhere', () =>
    withPage(async (page, context) => {
      await logIn(context, await rig.write());
      await page.goto(`${origin}/api/page`);
      await context.clearCookies();
      const answer = await page.evaluate(async () => {
        const response = await fetch('/api/me');
        const { reason } = (await response.json()) as { reason: string };
        return [response.status, response.redirected, reason];
      });
      expect(answer).toEqual([401, false, 'no_credential']);
    }));

  it('offer to clear the cookies when a sibling site planted a second one, and only on a click', () =>
    withPage(async (page, context) => {
      await logIn(context, await rig.write());
      const planted = `1,__Host-session=${newSessionId()}`;
      await context.addCookies([{ name: 'a', value: planted, url: origin }]);
      const names = async () => (await context.cookies()).map(({ name }) => name).sort();
      await page.goto(`${origin}/api/report`);
      await page.getByRole('heading', { name: 'Two sessions in one browser' }).waitFor();
      // A link from elsewhere to the very address that clears must not log anybody out.
      await followFromElsewhere(page, `${origin}/api/report?__clear=1`);
      await page.waitForURL((url) => url.search.includes('__bounce=1'));
      await page.getByRole('heading', { name: 'Two sessions in one browser' }).waitFor();
      expect(await names()).toContain('a');

      await page.goto(`${origin}/api/report`);
      await page.getByRole('link', { name: 'Clear the cookies of this site' }).click();
      await page.getByRole('heading', { name: 'The cookies are cleared' }).waitFor();
      expect(await names()).toEqual([]);
      await page.getByRole('link', { name: 'Continue' }).click();
      await isAtLogin(page, `${origin}/`);
    }));
});
