import type { SessionHandle } from '@sallyport/shared';
import type { StoredSession } from './session-store.js';

export interface RefreshTiming {
  /** How long before their expiry tokens and permissions are due, seconds. */
  readonly leewaySeconds: number;
  /** How long permissions may be used without asking again, seconds. */
  readonly permFreshSeconds: number;
}

type Dated = Pick<
  StoredSession,
  'tokenExpiresAt' | 'tokensAt' | 'createdAt' | 'permFreshUntil' | 'tokenVersion'
>;

/** When the tokens are due, epoch seconds; never, where the provider set no end. */
export function tokensDueAt(handle: SessionHandle, session: Dated, timing: RefreshTiming): number {
  const { tokenExpiresAt } = session;
  if (tokenExpiresAt === undefined) return Infinity;
  const lifetime = tokenExpiresAt - (session.tokensAt ?? session.createdAt);
  return dueAt(handle, tokenExpiresAt, lifetime, timing);
}

export function permissionsDueAt(
  handle: SessionHandle,
  session: Dated,
  timing: RefreshTiming,
): number {
  return dueAt(handle, session.permFreshUntil, timing.permFreshSeconds, timing);
}

/**
 * Tokens that live shorter than twice the leeway are due at half their life, or they would be due as
 * soon as they are there. The jitter comes from the handle: every replica finds the same time, and
 * sessions that began together are not due together.
 */
function dueAt(
  handle: SessionHandle,
  end: number,
  lifetime: number,
  { leewaySeconds }: RefreshTiming,
): number {
  const leeway = Math.min(leewaySeconds, Math.max(0, lifetime) / 2);
  return end - leeway * (1 + jitterOf(handle) / 5);
}

/** 0 to 1, always the same for a handle. */
function jitterOf(handle: SessionHandle): number {
  return Buffer.from(handle.slice(0, 4), 'base64url').readUIntBE(0, 3) / 0x1000000;
}
