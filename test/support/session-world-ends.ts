import { userOwner, type SessionId } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { modelLogoutToken } from './model-idp.js';
import { gatewayKeyOf, handleOf, type Scene } from './session-world-scene.js';

/** How sessions end in a schedule before their time. */
export class Ends {
  readonly #scene: Scene;
  readonly #sids = new Map<SessionId, string>();
  #jti = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async logout(id: SessionId, replica: number): Promise<void> {
    const { oracle } = this.#scene;
    const { origin, sessions } = this.#scene.gateway(replica);
    oracle.ending(id);
    if (oracle.laneOf(id) === 'bearer') {
      // It has no page to log out by; whoever may end it does it so.
      await sessions.close(handleOf(id)).then(
        () => oracle.over(id, 'its end was answered'),
        () => undefined,
      );
      return;
    }
    const answer = await exchange(`${origin}/logout`, {
      method: 'POST',
      headers: [
        ['Cookie', `__Host-session=${id}`],
        ['X-CSRF', '1'],
        ['Accept', 'application/json'],
        ['Sec-Fetch-Site', 'same-origin'],
      ],
    });
    if (answer.status === 200) oracle.over(id, 'its logout was answered');
  }

  async revoke(person: string, replica: number): Promise<void> {
    const revocation = this.#scene.oracle.revoking(person);
    await this.#scene
      .gateway(replica)
      .revocations.revokeAll(userOwner(person))
      .then(revocation.answered, () => undefined);
  }

  async backChannel(id: SessionId, replica: number): Promise<void> {
    const { oracle, parts } = this.#scene;
    // The provider knows of no session that a token was exchanged for.
    if (oracle.laneOf(id) === 'bearer') return;
    const sid = (await parts.admin.hget(gatewayKeyOf(id), 'sid')) ?? this.#sids.get(id);
    if (sid === undefined) return;
    this.#sids.set(id, sid);
    oracle.ending(id);
    this.#jti += 1;
    const token = modelLogoutToken({ jti: `jti-${String(this.#jti % 3)}-${sid}`, sid });
    const { origin } = this.#scene.gateway(replica);
    const answer = await exchange(`${origin}/auth/backchannel-logout`, {
      method: 'POST',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
    if (answer.status === 200) oracle.over(id, 'its back-channel logout was answered');
  }

  resume(replica: number): Promise<void> {
    return this.#scene
      .gateway(replica)
      .revocations.resume()
      .then(
        () => undefined,
        () => undefined,
      );
  }
}
