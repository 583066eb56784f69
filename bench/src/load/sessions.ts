import { createHash } from 'node:crypto';
import type { Session, SessionId } from '@sallyport/shared';

/** The id of the session number `index` of a run: the same in every process that knows the seed. */
export function sessionIdAt(seed: string, index: number): SessionId {
  return createHash('sha256').update(`${seed}:${index}`).digest('base64url') as SessionId;
}

export function userIdAt(index: number): string {
  return `user-${index}`;
}

/** A session as a login of a mid-sized company leaves it: three roles, eight permissions. */
export function sessionAt(index: number, nowSeconds: number, ttlSeconds: number): Session {
  return {
    userId: userIdAt(index),
    roles: ['employee', 'editor', 'approver'],
    permissions: [
      'orders:read',
      'orders:write',
      'invoices:read',
      'invoices:approve',
      'customers:read',
      'customers:write',
      'reports:read',
      'exports:create',
    ],
    createdAt: nowSeconds,
    expiresAt: nowSeconds + ttlSeconds,
    kind: 'browser',
    permVersion: 1,
  };
}

/** Numbers in [0, 1) that a printed seed brings back (mulberry32). */
export function randomNumbers(seed: string): () => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
