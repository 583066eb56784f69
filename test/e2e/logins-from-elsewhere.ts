import { expect, it } from '@jest/globals';
import { people } from '@sallyport/demo/idp/people';
import type { Page } from 'playwright-core';
import {
  apiCaller,
  cookieNames,
  count,
  fillLoginForm,
  requestsOf,
  starts,
  type ForeignSite,
  type Visitors,
} from '../support/visitors.js';

const [ada, grace = ada] = people;

/** What another site's pages can do about a login, and what a person who comes from there finds. */
export function loginsFromElsewhere(v: () => Visitors, foreign: () => ForeignSite): void {
  const origin = () => v().stack.origin;
  const pendingLogins = async (): Promise<number> =>
    (await v().stack.admin().keys('gateway:login:*')).length;
  const startUrl = (returnUrl: string): string =>
    `${origin()}/oauth2/authorization/idp?returnUrl=${encodeURIComponent(returnUrl)}`;

  async function followForeignLink(page: Page, href: string): Promise<void> {
    foreign().pages.set('/link', `<a id="go" href="${href}">go</a>`);
    await page.goto(`${foreign().origin}/link`);
    await page.click('#go');
  }

  it('a gated page that another site links to opens for a person who is logged in', () =>
    v().withContext(async (context) => {
      const page = await context.newPage();
      await v().login(page, ada);
      const requests = requestsOf(context, origin());
      await followForeignLink(page, `${origin()}/api/me?a=b`);
      await page.waitForURL(`${origin()}/api/me?a=b&__bounce=1`);
      expect(await apiCaller(page)).toMatchObject({ roles: ['ADMIN'] });
      expect(requests).toEqual(['GET /api/me', 'GET /api/me']);
    }));

  it('a gated page that another site links to leads a stranger to the login, once', () =>
    v().withContext(async (context) => {
      const page = await context.newPage();
      const requests = requestsOf(context, origin());
      await followForeignLink(page, `${origin()}/api/me`);
      await page.getByRole('heading', { name: 'Log in' }).waitFor();
      expect(count(requests, 'GET /api/me')).toBe(2);
      expect(starts(requests)).toBe(0);
    }));

  it('reg-A25: no image, frame, fetch or object of another site begins a login', () =>
    v().withContext(async (context) => {
      const before = await pendingLogins();
      const page = await context.newPage();
      const requests = requestsOf(context, origin());
      const url = startUrl('/');
      foreign().pages.set(
        '/try',
        [
          ...Array.from({ length: 20 }, (_, n) => `<img src="${url}&n=${String(n)}">`),
          `<iframe src="${url}"></iframe><object data="${url}"></object>`,
          `<script src="${url}"></script><link rel="stylesheet" href="${url}">`,
          `<script>fetch(${JSON.stringify(url)}, { mode: 'no-cors', credentials: 'include' })
            .catch(() => undefined).finally(() => (document.title = 'done'))</script>`,
        ].join(''),
      );
      await page.goto(`${foreign().origin}/try`);
      await page.waitForFunction(() => document.title === 'done');
      await page.waitForLoadState('networkidle');
      expect(starts(requests)).toBeGreaterThanOrEqual(24);
      expect(await cookieNames(context, origin())).toEqual([]);
      expect(await pendingLogins()).toBe(before);
    }));

  it.each(['a link', 'a new window', 'a form', 'a script that moves the page'])(
    'reg-A25: %s of another site begins a login only by a press on our own page',
    (way) =>
      v().withContext(async (context) => {
        const before = await pendingLogins();
        const url = startUrl('/api/me');
        const signin = `${origin()}/auth/signin`;
        foreign().pages.set(
          '/try',
          {
            'a link': `<a id="go" href="${url}">go</a>`,
            'a new window': `<a id="go" href="${url}" target="_blank">go</a>`,
            'a form': `<form method="post" action="${signin}"><input name="returnUrl" value="/api/me"><button id="go">go</button></form>`,
            'a script that moves the page': `<button id="go" onclick="location.href='${url}'">go</button>`,
          }[way] ?? '',
        );
        const opener = await context.newPage();
        await opener.goto(`${foreign().origin}/try`);
        const opened = way === 'a new window' ? context.waitForEvent('page') : undefined;
        await opener.click('#go');
        const page = (await opened) ?? opener;
        await page.getByRole('heading', { name: 'Log in?' }).waitFor();
        expect(await cookieNames(context, origin())).toEqual([]);
        expect(await pendingLogins()).toBe(before);
        await page.getByRole('link', { name: 'Log in' }).click();
        await fillLoginForm(page, ada);
        await page.waitForURL(({ pathname }) => pathname === '/api/me');
        expect(await apiCaller(page)).toMatchObject({ roles: ['ADMIN'] });
      }),
  );

  it('reg-A21: a login from a deep link ends the session that the Strict cookie hides', () =>
    v().withContext(async (context) => {
      const page = await context.newPage();
      await v().login(page, grace);
      const [old] = (await context.cookies(origin())).filter(
        ({ name }) => name === '__Host-session',
      );
      await followForeignLink(page, startUrl('/'));
      await page.getByRole('link', { name: 'Log in' }).click();
      await v().expectLoggedIn(page, grace);
      const answer = await fetch(`${origin().replace('localhost', '127.0.0.1')}/api/me`, {
        headers: { cookie: `__Host-session=${old?.value ?? ''}` },
      });
      expect(answer.status).toBe(401);
    }));
}
