import type { SessionHandle } from '@sallyport/shared';

/** What is left of a session that has ended: its tokens, still sealed. */
export interface SpentSession {
  readonly handle: SessionHandle;
  readonly idp: string;
  readonly sealedTokens: string;
}

/** The same as Redis keeps it until the provider was told. */
export interface LeftSession extends SpentSession {
  readonly iss: string;
  readonly sub: string;
  /** Epoch seconds by the store's clock. */
  readonly endedAt: number;
}

/** Where they are kept, for whichever replica gets to it. */
export interface LeftSessions {
  /** Those that nobody has seen to in time, leased to the caller. */
  claim(atMost: number): Promise<LeftSession[]>;
  /** Nothing is left to do. */
  done(handle: SessionHandle): Promise<void>;
  /** To be claimed again so many ms from now. */
  postpone(handle: SessionHandle, wait: number): Promise<void>;
}
