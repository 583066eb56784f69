import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { people } from '@sallyport/demo/idp/people';
import type { BrowserContext, Page } from 'playwright-core';
import {
  requestsOf,
  startForeignSite,
  startVisitors,
  type ForeignSite,
  type Visitors,
} from '../support/visitors.js';

jest.setTimeout(60_000);

const [ada] = people;

describe('logging out in Chromium', () => {
  let v: Visitors;
  let foreign: ForeignSite;
  let origin: string;
  beforeAll(async () => {
    foreign = await startForeignSite();
    v = await startVisitors('grpc', { extauthz: { EXTAUTHZ_LOGIN_URL: '/login' } });
    ({ origin } = v.stack);
  });
  afterAll(async () => {
    await foreign.close();
    await v.stop();
  });
  beforeEach(() => foreign.pages.clear());

  const sessionCookie = async (context: BrowserContext): Promise<string | undefined> =>
    (await context.cookies(origin)).find(({ name }) => name === '__Host-session')?.value;

  async function twoTabs(context: BrowserContext): Promise<[Page, Page]> {
    const first = await context.newPage();
    await v.login(first, ada);
    const second = await context.newPage();
    await second.goto(`${origin}/`);
    await v.expectLoggedIn(second, ada);
    expect(await v.statusOf(first, '/api/me')).toBe(200);
    return [first, second];
  }

  it('in the second tab is seen by the first tab’s next call', () =>
    v.withContext(async (context) => {
      const [first, second] = await twoTabs(context);
      await second.getByRole('button', { name: 'Log out' }).click();
      await second.getByRole('heading', { name: 'You are logged out' }).waitFor();
      expect(await v.statusOf(first, '/api/me')).toBe(401);
      expect(await v.statusOf(first, '/auth/v1/session')).toBe(401);
      await first.reload();
      await first.getByRole('heading', { name: 'You are not logged in' }).waitFor();
    }));

  it('at the provider itself is seen by the first tab’s next call (back-channel logout)', () =>
    v.withContext(async (context) => {
      const [first, second] = await twoTabs(context);
      const before = await sessionCookie(context);
      const requests = requestsOf(context, origin);
      await second.goto(`${v.stack.idpOrigin}/session/end`);
      await second.getByRole('heading', { name: 'Signed out' }).waitFor();
      expect(await v.statusOf(first, '/api/me')).toBe(401);
      // No page of ours was asked: the provider told the gateway, and the cookie names nothing now.
      expect(requests).toEqual(['GET /api/me']);
      expect(await sessionCookie(context)).toBe(before);
      await v.openLoginForm(first);
      await v.sendLoginForm(first, ada);
    }));

  it('T21: is nothing that an image, a frame or a script of another site can do', () =>
    v.withContext(async (context) => {
      const [first] = await twoTabs(context);
      const before = await context.cookies(origin);
      const page = await context.newPage();
      const requests = requestsOf(context, origin);
      const paths = ['/logout', '/auth/logout', '/auth/signout', '/auth/clear-cookies'];
      foreign.pages.set(
        '/try',
        paths
          .map((path) => origin + path)
          .map(
            (url) =>
              `<img src="${url}"><iframe src="${url}"></iframe><iframe name="f"></iframe>
              <form method="post" action="${url}" target="f"></form>
              <script>document.forms[document.forms.length - 1].submit();
              fetch('${url}', { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => 0)
              </script>`,
          )
          .join(''),
      );
      await page.goto(`${foreign.origin}/try`);
      await page.waitForLoadState('networkidle');
      for (const path of paths) {
        for (const method of ['GET', 'POST']) expect(requests).toContain(`${method} ${path}`);
      }
      expect(await context.cookies(origin)).toEqual(before);
      expect(await v.statusOf(first, '/api/me')).toBe(200);
    }));

  it('T21: by a link of another site takes a press on our own page', () =>
    v.withContext(async (context) => {
      const [first] = await twoTabs(context);
      const before = await context.cookies(origin);
      const page = await context.newPage();
      foreign.pages.set('/try', `<a id="go" href="${origin}/logout">go</a>`);
      await page.goto(`${foreign.origin}/try`);
      await page.click('#go');
      await page.getByRole('heading', { name: 'Log out?' }).waitFor();
      expect(await context.cookies(origin)).toEqual(before);
      expect(await v.statusOf(first, '/api/me')).toBe(200);

      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
      expect(await v.statusOf(first, '/api/me')).toBe(401);
      expect(await sessionCookie(context)).toBeUndefined();
    }));

  it('reg-A23: cannot be had by putting the page with the button into a frame', () =>
    v.withContext(async (context) => {
      const [first] = await twoTabs(context);
      const page = await context.newPage();
      foreign.pages.set('/try', `<iframe id="f" src="${origin}/logout"></iframe>`);
      await page.goto(`${foreign.origin}/try`);
      await page.waitForLoadState('networkidle');
      const [, frame] = page.frames();
      expect(await frame?.locator('button').count()).toBe(0);
      expect(await v.statusOf(first, '/api/me')).toBe(200);
    }));

  it('by a press on a link of ours happens at once', () =>
    v.withContext(async (context) => {
      const [first, second] = await twoTabs(context);
      await second.evaluate(() => {
        const link = document.createElement('a');
        link.href = '/auth/logout';
        link.textContent = 'leave';
        document.body.prepend(link);
      });
      await second.getByRole('link', { name: 'leave' }).click();
      await second.getByRole('heading', { name: 'You are logged out' }).waitFor();
      expect(await v.statusOf(first, '/api/me')).toBe(401);
    }));

  it('a script gets the provider’s address as JSON', () =>
    v.withContext(async (context) => {
      const [first] = await twoTabs(context);
      const { logoutUrl } = await first.evaluate(async () => {
        const headers = { accept: 'application/json', 'x-csrf': '1' };
        const answer = await fetch('/auth/logout', { method: 'POST', headers });
        return (await answer.json()) as { logoutUrl: string };
      });
      expect(logoutUrl).toMatch(`${v.stack.idpOrigin}/session/end?`);
      expect(await sessionCookie(context)).toBeUndefined();
      await first.goto(logoutUrl);
      await first.getByRole('heading', { name: 'You are logged out' }).waitFor();
    }));

  describe('reg-A26: a second session cookie that a sibling site planted', () => {
    const planted = { name: 'a', value: `1,__Host-session=${'x'.repeat(43)}`, path: '/' };

    it.each(['/user', '/logout', '/oauth2/authorization/idp'])(
      'is explained on %s, cleared by a press, and the login works again',
      (path) =>
        v.withContext(async (context) => {
          const page = await context.newPage();
          await v.login(page, ada);
          await context.addCookies([{ ...planted, domain: 'localhost' }]);
          expect((await page.goto(origin + path))?.status()).toBe(400);
          await page.getByRole('button', { name: 'Clear the cookies' }).click();
          await page.getByRole('heading', { name: 'The cookies are cleared' }).waitFor();
          expect(await context.cookies(origin)).toEqual([]);
          await page.getByRole('link', { name: 'Start page' }).click();
          await page.getByRole('heading', { name: 'You are not logged in' }).waitFor();
          await page.getByRole('link', { name: 'Log in' }).click();
          await v.expectLoggedIn(page, ada);
        }),
    );

    it('is explained at the edge too', () =>
      v.withContext(async (context) => {
        const page = await context.newPage();
        await v.login(page, ada);
        await context.addCookies([{ ...planted, domain: 'localhost' }]);
        expect((await page.goto(`${origin}/api/me`))?.status()).toBe(400);
        await page.getByRole('link', { name: 'Clear the cookies' }).click();
        await page.getByRole('heading', { name: 'The cookies are cleared' }).waitFor();
        expect(await context.cookies(origin)).toEqual([]);
      }));
  });
});
