import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { people, type Person } from '@sallyport/demo/idp/people';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchBrowser } from '../support/browser.js';
import { startTestStack, type TestStack } from '../support/stack.js';

jest.setTimeout(60_000);

const [ada, grace = ada] = people;

describe('a person in Chromium, the identity provider on another site', () => {
  let stack: TestStack;
  let browser: Browser;
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    stack = await startTestStack('http');
    ends.push(() => stack.stop());
    browser = await launchBrowser();
    ends.push(() => browser.close());
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** A browser of its own for each test: no cookie is left from another. */
  async function withContext(test: (context: BrowserContext) => Promise<void>): Promise<void> {
    const context = await browser.newContext();
    try {
      await test(context);
    } finally {
      await context.close();
    }
  }

  async function openLoginForm(page: Page): Promise<void> {
    await page.goto(`${stack.origin}/`);
    await page.getByRole('link', { name: 'Log in' }).click();
    await page.getByLabel('Password').waitFor();
    expect(new URL(page.url()).origin).toBe(stack.idpOrigin);
  }

  async function sendLoginForm(page: Page, person: Person): Promise<void> {
    await page.getByLabel('User').fill(person.sub);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expectLoggedIn(page, person);
  }

  async function expectLoggedIn(page: Page, person: Person): Promise<void> {
    await page.getByRole('heading', { name: person.name }).waitFor();
    expect(page.url()).toBe(`${stack.origin}/`);
  }

  const statusOf = (page: Page, path: string): Promise<number> =>
    page.evaluate(async (target) => (await fetch(target)).status, path);

  it('logs in, and stays logged in after F5', () =>
    withContext(async (context) => {
      const page = await context.newPage();
      await openLoginForm(page);
      await sendLoginForm(page, ada);
      expect(await statusOf(page, '/api/me')).toBe(200);
      await page.reload();
      await expectLoggedIn(page, ada);
      expect(await page.evaluate(() => document.cookie)).toBe('');
    }));

  it('sees why a login failed at the provider, and can still log in', () =>
    withContext(async (context) => {
      const page = await context.newPage();
      await openLoginForm(page);
      await page.getByLabel('User').fill(ada.sub);
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').waitFor();
      await sendLoginForm(page, ada);
    }));

  it('starts in two tabs at once and ends up logged in in both', () =>
    withContext(async (context) => {
      const [first, second] = [await context.newPage(), await context.newPage()];
      await Promise.all([openLoginForm(first), openLoginForm(second)]);
      await sendLoginForm(first, grace);
      await sendLoginForm(second, grace);
      for (const page of [first, second]) {
        await page.reload();
        await expectLoggedIn(page, grace);
        expect(await statusOf(page, '/api/me')).toBe(200);
      }
    }));

  it('logs out: the API says 401 at once, and the provider asks for the password again', () =>
    withContext(async (context) => {
      const page = await context.newPage();
      await openLoginForm(page);
      await sendLoginForm(page, grace);
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
      expect(page.url()).toBe(`${stack.origin}/peace`);
      expect(await statusOf(page, '/api/me')).toBe(401);
      await openLoginForm(page);
    }));
});
