import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { Browser } from 'playwright-core';
import { bouncePage } from '../../session-gateway/src/http/pages.js';
import { chooseReturnUrl, safeReturnUrl } from '../../session-gateway/src/http/return-url.js';
import { launchBrowser } from '../support/browser.js';
import {
  acceptedReturnUrls,
  corpusOrigin,
  hostileReturnUrls,
  refusedReturnUrls,
} from '../support/return-urls.js';

jest.setTimeout(120_000);

/** TRUST F5: the judge is where a real browser ends up, not what we think of a text. */
describe('return URLs in Chromium', () => {
  let browser: Browser;
  let server: Server;
  let origin: string;
  /** What `/bounce?<n>` sends the browser to. */
  const targets: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const [, index] = /^\/bounce\?([0-9]+)$/.exec(request.url ?? '') ?? [];
      const page = index === undefined ? 'here' : bouncePage(targets[Number(index)] ?? '');
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://localhost:${String((server.address() as AddressInfo).port)}`;
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Where each of these bounce pages leads, in a frame each, and every origin that was asked. */
  async function follow(urls: readonly string[]) {
    const page = await browser.newPage();
    const asked = new Set<string>();
    page.on('request', (request) => void asked.add(new URL(request.url()).origin));
    const first = targets.push(...urls) - urls.length;
    await page.goto(`${origin}/`);
    const ends = await page.evaluate(endsOfFrames, { first, count: urls.length });
    await page.close();
    return { ends, asked: [...asked] };
  }

  const here = (texts: readonly string[]): string[] =>
    texts.map((text) => text.replaceAll(corpusOrigin, origin));

  it('the judge bites: a URL that nobody looked at leaves the origin', async () => {
    const elsewhere = origin.replace('localhost', '127.0.0.1');
    const { ends, asked } = await follow([
      `${elsewhere}/`,
      `//${new URL(elsewhere).host}/`,
      `/\\${new URL(elsewhere).host}/`,
    ]);
    expect(ends).toEqual(ends.map(() => 'another origin'));
    expect(asked).toContain(elsewhere);
  });

  it('reg-26, reg-45, reg-A19: every line of the corpus stays, taken or not', async () => {
    const texts = here([...acceptedReturnUrls, ...refusedReturnUrls]);
    const urls = texts.map((text) => chooseReturnUrl([text], origin));
    // What is refused leads to the front page: one frame shows it for all.
    const different = [...new Set(urls)];
    const { ends, asked } = await follow(different);
    expect(asked).toEqual([origin]);
    // Chromium escapes two characters of a path that the URL Standard leaves as they are.
    const plain = (url = '') => url.replace(/%(?:5E|7C)/g, decodeURIComponent);
    for (const [index, text] of texts.entries()) {
      const end = ends[different.indexOf(urls[index] ?? '')];
      const expected = index < acceptedReturnUrls.length ? urls[index] : `${origin}/`;
      expect([text, plain(end)]).toEqual([text, plain(expected)]);
    }
  });

  it('2,500 further texts that are taken mean the same to Chromium as to us', async () => {
    const taken = takenOf(2500);
    const page = await browser.newPage();
    await page.goto(`${origin}/`);
    // As a page's script and as a link would read them.
    const read = await page.evaluate((urls) => {
      return urls.map((text) => {
        const link = document.createElement('a');
        link.setAttribute('href', text);
        return [new URL(text, document.baseURI).href, link.href, new URL(link.href).origin];
      });
    }, taken);
    await page.close();
    expect(read).toEqual(taken.map((url) => [url, url, origin]));
  });

  it('and 100 of them lead where they say', async () => {
    const taken = takenOf(100);
    const { ends, asked } = await follow(taken);
    expect(asked).toEqual([origin]);
    expect(ends).toEqual(taken);
  });

  /** So many different URLs that the validator takes, of whatever hostile text. */
  function takenOf(size: number): string[] {
    const arbitrary = hostileReturnUrls(origin)
      .map((text) => safeReturnUrl(text, origin))
      .filter((url) => url !== undefined);
    const found = new Set<string>();
    for (let seed = 1; found.size < size; seed += 1) {
      for (const url of fc.sample(arbitrary, { numRuns: 500, seed })) found.add(url);
    }
    return [...found].slice(0, size);
  }
});

/** Runs in the page: a frame's address can be read only while it is of our own origin. */
function endsOfFrames({ first, count }: { first: number; count: number }): Promise<string[]> {
  const endOf = (index: number): Promise<string> =>
    new Promise((resolve) => {
      const frame = document.createElement('iframe');
      const end = (href: string): void => {
        frame.remove();
        resolve(href);
      };
      frame.addEventListener('load', () => {
        try {
          const href = frame.contentWindow?.location.href ?? '';
          if (!href.includes('/bounce?')) end(href);
        } catch {
          end('another origin');
        }
      });
      frame.src = `/bounce?${String(index)}`;
      document.body.append(frame);
    });
  const ends: string[] = [];
  const lane = async (start: number): Promise<void> => {
    for (let at = start; at < count; at += 8) ends[at] = await endOf(first + at);
  };
  return Promise.all(Array.from({ length: 8 }, (_, start) => lane(start))).then(() => ends);
}
