import { CookieJar } from './cookie-jar.js';
import { exchange, type Answer, type HeaderList, type Question } from './exchange.js';
import { firstForm, metaRefresh } from './html.js';

interface Navigation {
  readonly method: 'GET' | 'POST';
  /** Empty: none. */
  readonly body: string;
  /** The origin of the page that led here; left out for an address typed by a person. */
  readonly initiator?: string;
  readonly userActivated: boolean;
}

/**
 * A browser without a screen: cookies with SameSite, Fetch Metadata, redirects and meta refreshes
 * as Chromium does them. The truth is Chromium itself (test/e2e); this one needs no download.
 */
export class WebClient {
  readonly cookies = new CookieJar();
  readonly #onAnswer: (answer: Answer) => void;

  /** @param onAnswer told of every answer, also those on the way */
  constructor(onAnswer: (answer: Answer) => void = () => undefined) {
    this.#onAnswer = onAnswer;
  }

  /** A person types an address. */
  open(url: string): Promise<Answer> {
    return this.#navigate(url, { method: 'GET', body: '', userActivated: true });
  }

  /** A person follows a link on a page. */
  follow(page: Answer, href: string): Promise<Answer> {
    const { origin } = new URL(page.url);
    const url = new URL(href, page.url).href;
    return this.#navigate(url, {
      method: 'GET',
      body: '',
      initiator: origin,
      userActivated: true,
    });
  }

  /** A person sends the page's first form. */
  submit(page: Answer, filledIn: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const form = firstForm(page.text);
    return this.post(page, form.action, { ...form.fields, ...filledIn });
  }

  /** A form on a page is sent to an address. */
  post(page: Answer, href: string, fields: Readonly<Record<string, string>>): Promise<Answer> {
    const { origin } = new URL(page.url);
    return this.#navigate(new URL(href, page.url).href, {
      method: 'POST',
      body: new URLSearchParams(fields).toString(),
      initiator: origin,
      userActivated: true,
    });
  }

  /** A script of a page of the same origin asks. */
  fetch(url: string, question: Question = {}): Promise<Answer> {
    const target = new URL(url);
    const method = question.method ?? 'GET';
    const cookie = this.cookies.header(target, { sameSite: true, topLevelGet: false });
    return this.#exchange(target, {
      ...question,
      headers: [
        ['Accept', 'application/json'],
        ['Sec-Fetch-Site', 'same-origin'],
        ['Sec-Fetch-Mode', 'cors'],
        ['Sec-Fetch-Dest', 'empty'],
        ...(method === 'GET' ? [] : ([['Origin', target.origin]] as const)),
        ...(cookie === undefined ? [] : ([['Cookie', cookie]] as const)),
        ...(question.headers ?? []),
      ],
    });
  }

  async #navigate(url: string, first: Navigation): Promise<Answer> {
    let target = new URL(url);
    let navigation = first;
    const chain: string[] = navigation.initiator === undefined ? [] : [navigation.initiator];
    for (let hop = 0; hop < 20; hop += 1) {
      chain.push(target.origin);
      const answer = await this.#exchange(target, {
        method: navigation.method,
        headers: this.#navigationHeaders(target, navigation, chain),
        ...(navigation.body === '' ? {} : { body: navigation.body }),
      });
      const { location } = answer.headers;
      if (typeof location === 'string' && answer.status >= 300 && answer.status < 400) {
        target = new URL(location, target);
        navigation = { ...navigation, method: 'GET', body: '' };
        continue;
      }
      const refresh = metaRefresh(answer.text);
      if (refresh === undefined) return answer;
      navigation = { method: 'GET', body: '', initiator: target.origin, userActivated: false };
      chain.splice(0, chain.length, target.origin);
      target = new URL(refresh, target);
    }
    throw new Error(`redirected without end, last to ${target.origin}${target.pathname}`);
  }

  #navigationHeaders(target: URL, navigation: Navigation, chain: readonly string[]): HeaderList {
    const { initiator, method } = navigation;
    // Chromium ignores the redirects in between when it judges a cookie, not in Sec-Fetch-Site.
    const sameSite = initiator === undefined || isSameSite(initiator, target.origin);
    const cookie = this.cookies.header(target, { sameSite, topLevelGet: method === 'GET' });
    return [
      ['Accept', 'text/html,application/xhtml+xml,*/*;q=0.8'],
      ['Sec-Fetch-Site', initiator === undefined ? 'none' : worstRelation(chain)],
      ['Sec-Fetch-Mode', 'navigate'],
      ['Sec-Fetch-Dest', 'document'],
      ...(navigation.userActivated ? ([['Sec-Fetch-User', '?1']] as const) : []),
      ...(method === 'POST'
        ? ([
            ['Origin', initiator ?? 'null'],
            ['Content-Type', 'application/x-www-form-urlencoded'],
          ] as const)
        : []),
      ...(cookie === undefined ? [] : ([['Cookie', cookie]] as const)),
    ];
  }

  async #exchange(target: URL, question: Question): Promise<Answer> {
    const answer = await exchange(target, question);
    const setCookies = answer.headers['set-cookie'] ?? [];
    for (const text of Array.isArray(setCookies) ? setCookies : [setCookies]) {
      const refused = this.cookies.store(target, text);
      if (refused !== undefined) throw new Error(`a browser would refuse the cookie ${refused}`);
    }
    this.#onAnswer(answer);
    return answer;
  }
}

function worstRelation(chain: readonly string[]): string {
  const target = chain.at(-1) ?? '';
  if (chain.every((origin) => origin === target)) return 'same-origin';
  return chain.every((origin) => isSameSite(origin, target)) ? 'same-site' : 'cross-site';
}

/** Ports do not make a site; the demo has no registrable domains, only two hosts. */
function isSameSite(origin: string, other: string): boolean {
  return new URL(origin).hostname === new URL(other).hostname;
}
