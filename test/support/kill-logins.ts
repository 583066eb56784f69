import type { Answer } from '@sallyport/demo/web-client/exchange';
import { newSessionId, parseSessionId, type SessionId } from '@sallyport/shared';
import { Bearers } from './bearers.js';
import { BrowserJar, setCookies } from './browser-jar.js';
import { isCutOff, type KillScene } from './kill-scene.js';
import { people } from './session-world-scene.js';

/** How sessions begin at two gateways, one of which dies meanwhile. */
export class KillLogins {
  readonly #scene: KillScene;
  readonly #browsers = [new BrowserJar(), new BrowserJar(), new BrowserJar()];
  readonly bearers: Bearers;

  constructor(scene: KillScene) {
    this.#scene = scene;
    const { admin, exchanger, stack } = scene.grounds;
    this.bearers = new Bearers({ admin, exchanger, issuer: stack.idp.issuer }, (userId) =>
      scene.oracle.rolesOf(userId),
    );
  }

  async login(): Promise<void> {
    const { oracle, book, choices, grounds } = this.#scene;
    const { stack } = grounds;
    const jar = choices.one(this.#browsers);
    const person = choices.one(people);
    const answer = await jar.visit(`${this.#scene.origin()}/oauth2/authorization/idp`);
    const loginBegan = oracle.next();
    stack.idp.nextSubject = person;
    // A browser of its own at the provider: whoever comes next there is somebody else.
    const url = await new BrowserJar().redirectsUntil(
      String(answer.headers.location),
      `${stack.origin}/login/`,
    );
    const held = parseSessionId(jar.cookies.get('localhost', '__Host-session') ?? '');
    oracle.ending(held);
    const id = await this.#finish(jar, url);
    if (id === undefined) return;
    // By the provider's word: two logins at once may have met the other's person there.
    const family = book.byCode(new URL(url).searchParams.get('code') ?? '');
    if (family === undefined) {
      oracle.wrong.push('I6 a session without a code that was good');
      return;
    }
    this.#scene.sids.set(id, family.sid);
    oracle.born(id, family.sub, loginBegan, this.#scene.now(), { presented: [held] });
    oracle.over(held, 'a login replaced it');
  }

  async exchange(): Promise<void> {
    const { oracle, choices } = this.#scene;
    const [id, person] = [newSessionId(), choices.one(people)];
    const seconds = 1 + choices.below(20);
    const expires = this.#scene.now() + seconds;
    let began = 0;
    const isOpen = await this.bearers.open(id, person, seconds, () => {
      began = oracle.next();
    });
    if (isOpen) oracle.born(id, person, began, this.#scene.now(), { lane: 'bearer', expires });
  }

  /** The callback, and sometimes once more: always where the gateway died, as a person would. */
  async #finish(jar: BrowserJar, url: string): Promise<SessionId | undefined> {
    const { oracle, choices, grounds } = this.#scene;
    const at = (origin: string) => url.replace(grounds.stack.origin, origin);
    const cookies = jar.cookies.header(new URL(url), { sameSite: false, topLevelGet: true }) ?? '';
    const ask = (origin: string): Promise<Answer> =>
      jar.visit(at(origin), { site: 'cross-site', headers: [['Cookie', cookies]] });
    const first = await ask(this.#scene.origin()).catch(isCutOff);
    const given = sessionOf(first);
    if (first !== undefined && !choices.rarely(3)) return given;
    const again = await ask(grounds.stack.origin);
    if (given === undefined) return sessionOf(again);
    // A late callback touches nothing, above all no cookie of the session that lives.
    if (setCookies(again).some((line) => line.startsWith('__Host-session='))) {
      oracle.wrong.push('I6 a repeated callback touched the session');
    }
    return given;
  }
}

function sessionOf(answer: Answer | undefined): SessionId | undefined {
  if (answer === undefined) return undefined;
  const line = setCookies(answer).find((one) => /^__Host-session=[^;]/.test(one)) ?? '';
  return parseSessionId(/^__Host-session=([^;]*)/.exec(line)?.[1] ?? '');
}
