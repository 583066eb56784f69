import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchBrowser } from '../support/browser.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import { startForeignSite, type ForeignSite } from '../support/visitors.js';

jest.setTimeout(60_000);

/** A page of ours goes in two packets. */
const smallBytes = 2048;

describeOnRedis(
  '6.2',
  'the gateway’s own pages in Chromium',
  (redis) => {
    let stack: GatewayStack;
    let foreign: ForeignSite;
    let browser: Browser;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        GATEWAY_LOGIN_RATE_LIMIT: '1',
        GATEWAY_REDIS_TIMEOUT_MS: '1000',
      });
      foreign = await startForeignSite();
      browser = await launchBrowser();
    });
    afterAll(async () => {
      await browser.close();
      await foreign.close();
      await stack.close();
    });
    beforeEach(async () => {
      stack.permissions.recover();
      for (const admin of redis().admins) await admin.flushall();
    });

    /** A login, and beside its cookie another one that carries the same name. */
    async function plantTwo(page: Page): Promise<void> {
      await page.goto(stack.startUrl);
      await page.waitForURL(`${stack.origin}/`);
      const value = `1,__Host-session=${'x'.repeat(43)}`;
      await page.context().addCookies([{ name: 'a', value, url: stack.origin }]);
    }
    async function byForeignLink(page: Page, path: string): Promise<void> {
      foreign.pages.set('/link', `<a id="go" href="${stack.origin}${path}">go</a>`);
      await page.goto(`${foreign.origin}/link`);
      await page.click('#go');
    }
    /** A page that leads on by itself is held: the browser stays where nothing comes back. */
    const hold = (page: Page, url: string): Promise<unknown> =>
      page.route(url, (route) => route.fulfill({ status: 204 }));

    const pages: readonly [string, string, string, (page: Page) => Promise<unknown>][] = [
      [
        'One moment',
        'Continue',
        '/',
        async (page) => {
          await hold(page, `${stack.origin}/`);
          await page.goto(`${stack.origin}/auth/callback?state=x`);
        },
      ],
      [
        'Log in?',
        'Log in',
        '/oauth2/authorization/idp',
        (page) => byForeignLink(page, '/auth/login'),
      ],
      ['Log out?', 'Log out', '/logout', (page) => byForeignLink(page, '/logout')],
      [
        'Two sessions in one browser',
        'Clear the cookies of this site',
        '/auth/clear-cookies',
        async (page) => {
          await plantTwo(page);
          await page.goto(`${stack.origin}/user`);
        },
      ],
      [
        'The cookies are cleared',
        'Start page',
        '/',
        async (page) => {
          await plantTwo(page);
          await page.goto(`${stack.origin}/auth/clear-cookies`);
          await page.getByRole('button').click();
        },
      ],
      ['Not found', 'Start page', '/', (page) => page.goto(`${stack.origin}/auth/nothing`)],
      [
        'Too many requests',
        'Start page',
        '/',
        async (page) => {
          await page.setExtraHTTPHeaders({ 'x-forwarded-for': '203.0.113.7' });
          await page.goto(stack.startUrl);
          await page.waitForURL(`${stack.origin}/`);
          await page.goto(stack.startUrl);
        },
      ],
      [
        'Your permissions could not be looked up',
        'Start page',
        '/',
        async (page) => {
          stack.permissions.answer = answerText(503, 'no');
          await page.goto(stack.startUrl);
        },
      ],
    ];

    it.each(pages)(
      '“%s” can be read, reached and understood by everybody',
      (title, label, leadsTo, open) =>
        withPage(async (page) => {
          const complaints: string[] = [];
          page.on('console', (message) => {
            // A browser says itself that the answer was no 200.
            const isOurs = !message.text().startsWith('Failed to load resource');
            if (message.type() === 'error' && isOurs) complaints.push(message.text());
          });
          await open(page);
          const action = page.locator('.action');
          await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
          expect(await page.title()).toBe(title);
          expect(await page.locator('html').getAttribute('lang')).toBe('en');
          expect(await page.getByRole('main').count()).toBe(1);
          expect((await page.locator('main p').first().innerText()).length).toBeGreaterThan(20);
          expect(await page.locator('script, iframe, img').count()).toBe(0);
          expect(await bytesOf(page)).toBeLessThanOrEqual(smallBytes);

          expect(await action.innerText()).toBe(label);
          const target = await action.evaluate((element) =>
            element instanceof HTMLAnchorElement
              ? element.href
              : ((element as HTMLButtonElement).form?.action ?? ''),
          );
          expect(target).toBe(new URL(leadsTo, stack.origin).href);
          await page.keyboard.press('Tab');
          expect(await action.evaluate((element) => element === document.activeElement)).toBe(true);
          expect(await action.evaluate((element) => getComputedStyle(element).outlineStyle)).toBe(
            'solid',
          );

          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme });
            for (const ratio of await contrasts(page)) expect(ratio).toBeGreaterThanOrEqual(7);
          }
          await page.setViewportSize({ width: 320, height: 480 });
          expect(
            await page.evaluate(() => document.documentElement.scrollWidth),
          ).toBeLessThanOrEqual(320);
          // Its style is allowed by its hash; nothing else was wanted.
          expect(complaints).toEqual([]);
        }),
    );

    it('allow no script, wherever it comes from', () =>
      withPage(async (page) => {
        await page.goto(`${stack.origin}/auth/nothing`);
        const ran = await page.evaluate(async () => {
          const script = document.createElement('script');
          script.textContent = 'document.title = "ran"';
          document.body.append(script);
          const image = document.createElement('img');
          image.setAttribute('onerror', 'document.title = "ran"');
          const failed = new Promise((resolve) => image.addEventListener('error', resolve));
          image.src = '/nothing.png';
          document.body.append(image);
          await failed;
          return document.title;
        });
        expect(ran).toBe('Not found');
      }));

    async function withPage(test: (page: Page) => Promise<void>): Promise<void> {
      const context: BrowserContext = await browser.newContext();
      try {
        await test(await context.newPage());
      } finally {
        await context.close();
      }
    }
  },
  { appendOnly: true },
);

/** As the browser holds it, some bytes more than came; nothing is loaded beside it. */
async function bytesOf(page: Page): Promise<number> {
  return Buffer.byteLength(await page.content());
}

/** WCAG 2.2 contrast of every text on the page against what is behind it. */
function contrasts(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color: string): number[] => {
      if (canvas === null) throw new Error('no canvas');
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color: number[]): number => {
      const [red = 0, green = 0, blue = 0] = color.map((byte) => {
        const part = byte / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element: Element | null): number[] => {
      for (let at = element; at !== null; at = at.parentElement) {
        const color = rgba(getComputedStyle(at).backgroundColor);
        if ((color[3] ?? 0) === 255) return color;
      }
      return [255, 255, 255];
    };
    return [...document.querySelectorAll('h1, p, .action')].map((element) => {
      const text = luminance(rgba(getComputedStyle(element).color));
      const ground = luminance(behind(element));
      return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    });
  });
}
