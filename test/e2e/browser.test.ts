import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { people } from '@sallyport/demo/idp/people';
import { startVisitors, type Visitors } from '../support/visitors.js';

jest.setTimeout(60_000);

const [ada, grace = ada] = people;

describe('a person in Chromium, the identity provider on another site', () => {
  let v: Visitors;
  beforeAll(async () => {
    v = await startVisitors('http');
  });
  afterAll(() => v.stop());

  it('logs in, and stays logged in after F5', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      await v.login(page, ada);
      expect(await v.statusOf(page, '/api/me')).toBe(200);
      await page.reload();
      await v.expectLoggedIn(page, ada);
      expect(await page.evaluate(() => document.cookie)).toBe('');
    }));

  it('sees why a login failed at the provider, and can still log in', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      await v.openLoginForm(page);
      await page.getByLabel('User').fill(ada.sub);
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').waitFor();
      await v.sendLoginForm(page, ada);
    }));

  it('starts in two tabs at once and ends up logged in in both', () =>
    v.withContext(async (context) => {
      const [first, second] = [await context.newPage(), await context.newPage()];
      await Promise.all([v.openLoginForm(first), v.openLoginForm(second)]);
      await v.sendLoginForm(first, grace);
      await v.sendLoginForm(second, grace);
      for (const page of [first, second]) {
        await page.reload();
        await v.expectLoggedIn(page, grace);
        expect(await v.statusOf(page, '/api/me')).toBe(200);
      }
    }));

  it('logs out: the API says 401 at once, and the provider asks for the password again', () =>
    v.withContext(async (context) => {
      const page = await context.newPage();
      await v.login(page, grace);
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
      expect(page.url()).toBe(`${v.stack.origin}/peace`);
      expect(await v.statusOf(page, '/api/me')).toBe(401);
      await v.openLoginForm(page);
    }));
});
