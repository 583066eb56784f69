import { exchange } from '@sallyport/demo/web-client/exchange';
import { asCookie, type KillScene } from './kill-scene.js';
import { logoutToken } from './logout-token.js';
import { gatewayKeyOf, people } from './session-world-scene.js';

/** A logout token that was sent, and may be sent again. */
interface Notice {
  readonly token: string;
  readonly answered: () => void;
}

/** How sessions end at two gateways, one of which dies meanwhile. */
export class KillEnds {
  readonly #scene: KillScene;
  readonly #sent: Notice[] = [];

  constructor(scene: KillScene) {
    this.#scene = scene;
  }

  async logout(): Promise<void> {
    const { oracle } = this.#scene;
    const id = this.#scene.some();
    if (id === undefined) return;
    // A bearer's too: who has its id may end it, by whichever way. That lets nobody in.
    oracle.ending(id);
    const headers = [...asCookie(id).headers, ['X-CSRF', '1']] as const;
    const answer = await exchange(`${this.#scene.origin()}/logout`, { method: 'POST', headers });
    if (answer.status === 200) oracle.over(id, 'its logout was answered');
  }

  async revoke(person: string, managementOrigin: string): Promise<void> {
    const revocation = this.#scene.oracle.revoking(person);
    const answer = await exchange(`${managementOrigin}/internal/v1/sessions/users/${person}`, {
      method: 'DELETE',
      headers: [['Authorization', `Bearer ${this.#scene.grounds.token}`]],
    });
    if (answer.status === 204) revocation.answered();
  }

  /** As a provider does it that may not have heard the answer: what comes again ends nothing new. */
  async backChannel(): Promise<void> {
    const { choices } = this.#scene;
    const isRepeat = this.#sent.length > 0 && choices.rarely(2);
    const notice = isRepeat ? choices.one(this.#sent) : await this.#newNotice();
    if (notice === undefined) return;
    try {
      const answer = await exchange(`${this.#scene.origin()}/auth/backchannel-logout`, {
        method: 'POST',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
        body: new URLSearchParams({ logout_token: notice.token }).toString(),
      });
      if (answer.status === 200) notice.answered();
    } finally {
      // Not before: of two at once nobody could say which was the repetition.
      if (!isRepeat) this.#sent.push(notice);
    }
  }

  #newNotice(): Promise<Notice | undefined> {
    return this.#scene.choices.rarely(3) ? this.#noticeOfPerson() : this.#noticeOfSession();
  }

  async #noticeOfPerson(): Promise<Notice> {
    const { oracle, choices, grounds } = this.#scene;
    const sub = choices.one(people);
    const token = await logoutToken(grounds.stack, { sub });
    const revocation = oracle.revoking(sub);
    let isAnswered = false;
    const answered = () => {
      // What was begun since is not meant by the repetition, and must live.
      if (!isAnswered) revocation.answered();
      isAnswered = true;
    };
    return { token, answered };
  }

  async #noticeOfSession(): Promise<Notice | undefined> {
    const { oracle, grounds } = this.#scene;
    const id = this.#scene.some();
    const sid = id === undefined ? null : await grounds.admin.hget(gatewayKeyOf(id), 'sid');
    if (sid === null) return undefined;
    const token = await logoutToken(grounds.stack, { sid });
    oracle.ending(id);
    return { token, answered: () => oracle.over(id, 'its back-channel logout was answered') };
  }
}
