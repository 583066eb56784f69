import { randomNumbers, sessionIdAt, userIdAt } from '../../load/sessions.js';
import type { HttpConnection } from './connection.js';
import { requestText } from './requests.js';
import type { Doer } from './saturate.js';
import type { GetWork } from './work.js';

/** GETs over open connections, one doer each. `next` lives on over the rounds of a variant. */
export class Gets {
  readonly #work: GetWork;
  readonly #texts: readonly string[];
  #next = 0;
  #runs = 0;

  constructor(work: GetWork) {
    this.#work = work;
    const { path, sessions } = work;
    this.#texts =
      sessions === undefined
        ? [requestText('GET', path)]
        : Array.from({ length: sessions.count }, (_, index) =>
            requestText('GET', path, sessionIdAt(sessions.seed, index)),
          );
  }

  doers(connections: readonly HttpConnection[]): Doer[] {
    this.#runs += 1;
    const random = randomNumbers(`${this.#work.sessions?.seed ?? ''}/${this.#runs}`);
    const { length } = this.#texts;
    const pick =
      this.#work.sessions?.order === 'each-once'
        ? () => this.#next++ % length
        : () => Math.floor(random() * length);
    return connections.map(
      (connection) => async () => (await connection.send(this.#texts[pick()] ?? '')).status,
    );
  }

  /** One answer per connection, read in full: an error must never pass for a success. */
  async verify(connections: readonly HttpConnection[]): Promise<void> {
    const { port, path, sessions } = this.#work;
    for (const [index, connection] of connections.entries()) {
      // From the end: whoever takes each once begins at the other.
      const session = this.#texts.length - 1 - (index % Math.min(this.#texts.length, 64));
      const { status, body } = await connection.send(this.#texts[session] ?? '');
      const expected = sessions === undefined ? '' : `"${userIdAt(session)}"`;
      if (status === 200 && body.includes(expected)) continue;
      throw new Error(`port ${port}, ${path}: answered ${status} ${body.slice(0, 200)}`);
    }
  }
}
