import type { Profile } from '../sessions/session-store.js';
import type { TokenSet } from './token-set.js';

/** What a login at the identity provider brought. */
export interface CompletedLogin {
  readonly profile: Profile;
  readonly tokens: TokenSet;
}
