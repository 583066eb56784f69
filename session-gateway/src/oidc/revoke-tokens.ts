import type { Events } from '../events.js';
import { problemCodeOf } from '../http/problems.js';
import type { ClosedSession } from '../sessions/session-lifecycle.js';
import type { IdentityProvider } from './identity-provider.js';

/** The person need not wait for it, and a provider that fails at it cannot keep a session alive here. */
export function revokeInBackground(
  idps: ReadonlyMap<string, IdentityProvider>,
  events: Pick<Events, 'revocationFailed'>,
  closed: readonly ClosedSession[],
): void {
  for (const { idp, tokens } of closed) {
    if (tokens?.refreshToken === undefined) continue;
    idps
      .get(idp)
      ?.revoke(tokens.refreshToken)
      .catch((error: unknown) => events.revocationFailed(problemCodeOf(error)));
  }
}
