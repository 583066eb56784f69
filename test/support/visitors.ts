import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from '@jest/globals';
import type { Person } from '@sallyport/demo/idp/people';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchBrowser } from './browser.js';
import { startTestStack, type TestStack } from './stack.js';

/** The stack, a real Chromium in front of it, and what people do in it. */
export interface Visitors {
  readonly stack: TestStack;
  /** A browser of its own for each test: no cookie is left from another. */
  withContext(test: (context: BrowserContext) => Promise<void>): Promise<void>;
  openLoginForm(page: Page): Promise<void>;
  sendLoginForm(page: Page, person: Person): Promise<void>;
  expectLoggedIn(page: Page, person: Person): Promise<void>;
  /** From the front page to the front page. */
  login(page: Page, person: Person): Promise<void>;
  /** What a script of the page is answered. */
  statusOf(page: Page, path: string): Promise<number>;
  stop(): Promise<void>;
}

export async function startVisitors(
  ...stackOptions: Parameters<typeof startTestStack>
): Promise<Visitors> {
  const stack = await startTestStack(...stackOptions);
  let browser: Browser;
  try {
    browser = await launchBrowser();
  } catch (error) {
    await stack.stop();
    throw error;
  }
  const visitors: Visitors = {
    stack,
    withContext: async (test) => {
      const context = await browser.newContext();
      try {
        await test(context);
      } finally {
        await context.close();
      }
    },
    openLoginForm: async (page) => {
      await page.goto(`${stack.origin}/`);
      await page.getByRole('link', { name: 'Log in' }).click();
      await page.getByLabel('Password').waitFor();
      expect(new URL(page.url()).origin).toBe(stack.idpOrigin);
    },
    sendLoginForm: async (page, person) => {
      await fillLoginForm(page, person);
      await visitors.expectLoggedIn(page, person);
    },
    expectLoggedIn: async (page, person) => {
      await page.getByRole('heading', { name: person.name }).waitFor();
      expect(page.url()).toBe(`${stack.origin}/`);
    },
    login: async (page, person) => {
      await visitors.openLoginForm(page);
      await visitors.sendLoginForm(page, person);
    },
    statusOf: (page, path) => page.evaluate(async (target) => (await fetch(target)).status, path),
    stop: async () => {
      await browser.close();
      await stack.stop();
    },
  };
  return visitors;
}

/** The provider's form, filled in and sent. */
export async function fillLoginForm(page: Page, person: Person): Promise<void> {
  await page.getByLabel('User').fill(person.sub);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Everything a browser asked for, as `METHOD path`, without queries; only of this origin. */
export function requestsOf(context: BrowserContext, origin: string): string[] {
  const seen: string[] = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin === origin) seen.push(`${request.method()} ${url.pathname}`);
  });
  return seen;
}

export function count(requests: readonly string[], what: string): number {
  return requests.filter((request) => request === what).length;
}

/** How many logins they began. */
export function starts(requests: readonly string[]): number {
  return count(requests, 'GET /oauth2/authorization/idp');
}

/** Whom the sample API, which answers with it, was called by. */
export async function apiCaller(page: Page): Promise<unknown> {
  return JSON.parse(await page.locator('body').innerText());
}

export async function cookieNames(context: BrowserContext, origin: string): Promise<string[]> {
  return (await context.cookies(origin)).map(({ name }) => name);
}

export interface ForeignSite {
  readonly origin: string;
  /** The HTML at a path. */
  readonly pages: Map<string, string>;
  close(): Promise<void>;
}

/** A site that is not ours: 127.0.0.1, while the app is on localhost. */
export async function startForeignSite(): Promise<ForeignSite> {
  const pages = new Map<string, string>();
  const server: Server = createServer((request, response) => {
    const page = pages.get(request.url ?? '');
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>Elsewhere</title>${page ?? ''}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    pages,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
