import { newSessionId, parseSessionId, type SessionId } from '@sallyport/shared';
import { BrowserJar, setCookies } from './browser-jar.js';
import { openExchanged } from './exchanged-session.js';
import { modelIssuer } from './model-idp.js';
import { handleOf, people, rolesIn, type Scene } from './session-world-scene.js';

interface Browser {
  readonly jar: BrowserJar;
  /** Logins that were begun here and not finished. */
  readonly begun: { readonly state: string; readonly person: string; readonly step: number }[];
}

/** How sessions begin in a schedule: by logins in browsers, by exchanged tokens. */
export class Logins {
  readonly #scene: Scene;
  readonly #browsers: readonly Browser[];

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#browsers = people.concat('ada').map(() => ({ jar: new BrowserJar(), begun: [] }));
  }

  async begin(who: number, replica: number, person: string): Promise<void> {
    const { jar, begun } = this.#browser(who);
    const { origin } = this.#scene.gateway(replica);
    const answer = await jar.visit(`${origin}/oauth2/authorization/idp`);
    if (answer.status !== 302) return;
    const state = new URL(String(answer.headers.location)).searchParams.get('state') ?? '';
    begun.push({ state, person, step: this.#scene.oracle.next() });
  }

  async finish(who: number, whose: number, which: number, replica: number): Promise<void> {
    const { oracle } = this.#scene;
    const { jar } = this.#browser(who);
    const { begun } = this.#browser(whose);
    const login = begun[which % Math.max(1, begun.length)];
    if (login === undefined) return;
    const { origin } = this.#scene.gateway(replica);
    const held = heldBy(jar);
    oracle.ending(held);
    const query = new URLSearchParams({ code: login.person, state: login.state, iss: modelIssuer });
    const answer = await jar.visit(`${origin}/login/oauth2/code/idp?${query.toString()}`, {
      site: 'cross-site',
    });
    const line = setCookies(answer).find((one) => /^__Host-session=[^;]/.test(one));
    const id = parseSessionId(/^__Host-session=([^;]*)/.exec(line ?? '')?.[1] ?? '');
    if (id === undefined) return;
    if (who !== whose) oracle.wrong.push('I6 a login was finished in another browser');
    oracle.born(id, login.person, login.step, this.#scene.now(), { presented: [held] });
    if (this.#scene.failures > 0) oracle.ending(id);
    oracle.over(held, 'a login replaced it');
  }

  /** @param seconds how long the token is good for */
  async exchange(person: string, seconds: number, replica: number): Promise<void> {
    const { oracle, parts } = this.#scene;
    const gateway = this.#scene.gateway(replica);
    const id = newSessionId();
    const expires = this.#scene.now() + seconds;
    let began = 0;
    const opening = openExchanged(gateway, id, {
      ...{ person, issuer: modelIssuer, seconds: () => seconds },
      grants: () => this.#grantsOf(person),
      onBegan: () => (began = oracle.next()),
    });
    const isOpen = await opening.then(
      () => true,
      () => false,
    );
    if (!isOpen) return;
    await gateway.upkeep.noteInUse(handleOf(id)).catch(() => undefined);
    oracle.born(id, person, began, this.#scene.now(), { lane: 'bearer', expires });
    if (this.#scene.failures > 0 || parts.directory.down) oracle.ending(id);
  }

  #grantsOf(person: string) {
    const { turns, directory } = this.#scene.parts;
    return turns.pass(() =>
      directory.down
        ? Promise.reject(new Error('down'))
        : Promise.resolve({ userId: person, ...rolesIn(person, directory.rolesOf(person)) }),
    );
  }

  #browser(who: number): Browser {
    const found = this.#browsers[who % this.#browsers.length];
    if (found === undefined) throw new Error('no browser');
    return found;
  }
}

function heldBy(jar: BrowserJar): SessionId | undefined {
  return parseSessionId(jar.cookies.get('localhost', '__Host-session') ?? '');
}
