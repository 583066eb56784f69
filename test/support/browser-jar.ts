import { CookieJar } from '@sallyport/demo/web-client/cookie-jar';
import { exchange, type Answer, type HeaderList } from '@sallyport/demo/web-client/exchange';

export interface Visit {
  /** Sec-Fetch-Site; it also decides which cookies travel. */
  readonly site?: 'none' | 'same-origin' | 'cross-site';
  readonly method?: string;
  /** Further header lines, or replacements of ours. */
  readonly headers?: HeaderList;
  readonly body?: string;
}

/**
 * A browser one request at a time, so that a test can stop between any two and look: SameSite and
 * Fetch Metadata as Chromium has them for a navigation, redirects left alone.
 */
export class BrowserJar {
  readonly cookies = new CookieJar();
  readonly #ca: string | undefined;

  /** @param ca the authority of https servers, PEM */
  constructor(ca?: string) {
    this.#ca = ca;
  }

  async visit(url: string, visit: Visit = {}): Promise<Answer> {
    const target = new URL(url);
    const { site = 'none', method = 'GET' } = visit;
    const cookie = this.cookies.header(target, {
      sameSite: site !== 'cross-site',
      topLevelGet: method === 'GET',
    });
    const ours: HeaderList = [
      ['Accept', 'text/html,*/*;q=0.8'],
      ['Sec-Fetch-Site', site],
      ['Sec-Fetch-Mode', 'navigate'],
      ['Sec-Fetch-Dest', 'document'],
      ['Sec-Fetch-User', '?1'],
      ...(cookie === undefined ? [] : ([['Cookie', cookie]] as const)),
    ];
    const given = new Set((visit.headers ?? []).map(([name]) => name.toLowerCase()));
    const answer = await exchange(target, {
      method,
      headers: [
        ...ours.filter(([name]) => !given.has(name.toLowerCase())),
        ...(visit.headers ?? []),
      ],
      ...(visit.body === undefined ? {} : { body: visit.body }),
      ...(this.#ca === undefined ? {} : { ca: this.#ca }),
    });
    for (const line of setCookies(answer)) this.cookies.store(target, line);
    return answer;
  }

  /** Follows redirects of the provider until one leads to `stopAt`, and says where it leads. */
  async redirectsUntil(start: string, stopAt: string): Promise<string> {
    let url = start;
    for (let hop = 0; hop < 10; hop += 1) {
      if (url.startsWith(stopAt)) return url;
      const answer = await this.visit(url, { site: 'cross-site' });
      const { location } = answer.headers;
      if (typeof location !== 'string') {
        throw new Error(`no redirect at ${new URL(url).pathname}: ${answer.text.slice(0, 300)}`);
      }
      url = new URL(location, url).href;
    }
    throw new Error('too many redirects');
  }
}

/** A program with this browser's cookies: it wants JSON and sends no Fetch Metadata. */
export function asMachine(url: string, { cookies }: BrowserJar): Promise<Answer> {
  const cookie = cookies.header(new URL(url), { sameSite: true, topLevelGet: true });
  return exchange(url, {
    headers: [
      ['Accept', 'application/json'],
      ...(cookie === undefined ? [] : ([['Cookie', cookie]] as const)),
    ],
  });
}

export function setCookies(answer: Pick<Answer, 'headers'>): readonly string[] {
  const lines = answer.headers['set-cookie'];
  return lines === undefined ? [] : [lines].flat();
}
