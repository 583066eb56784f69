import type { SessionId } from '@sallyport/shared';
import { ownersOf } from '../../session-gateway/src/sessions/session-owners.js';
import type { Grants, NewSession } from '../../session-gateway/src/sessions/session-store.js';
import type { InProcessGateway } from './in-process-gateway.js';
import { handleOf } from './session-world-scene.js';

/** Whose token it was, and for how long from now on it is good. */
export interface ExchangedToken {
  readonly person: string;
  readonly issuer: string;
  readonly seconds: () => number;
  /** What the permission service says now. */
  readonly grants: () => Promise<Grants>;
  /** Told once the session has its number: a revocation that crossed the question may be older. */
  readonly onBegan: () => void;
}

/**
 * A session as the exchange of a token will open it (that route is yet to come): in the order of a login
 * (ATTACKS 9), without a browser, a cookie and a refresh token, and with the token's end for its own.
 * Rejects, and leaves nothing, where nobody was given the id.
 */
export async function openExchanged(
  gateway: InProcessGateway,
  id: SessionId,
  token: ExchangedToken,
): Promise<void> {
  const { store, index, revocations, pushes, sessions } = gateway;
  const handle = handleOf(id);
  try {
    const seq = await revocations.sequence();
    token.onBegan();
    const session: NewSession = {
      profile: { sub: token.person, iss: token.issuer, idp: 'idp' },
      grants: await token.grants(),
      kind: 'native',
      sealedTokens: 'none',
      seq,
    };
    const owners = ownersOf(session);
    const enter = () => index.enter(owners, handle, seq);
    const lifetimes = { idleSeconds: 1800, absoluteSeconds: token.seconds() };
    const isIn = (await enter()) && (await store.create(handle, session, lifetimes), await enter());
    if (!isIn) throw new Error('revoked meanwhile');
    if (await pushes.anySince(token.person, seq)) {
      await sessions.grantOpened(handle, await token.grants());
    }
  } catch (error) {
    await store.remove(handle).catch(() => undefined);
    throw error;
  }
}
