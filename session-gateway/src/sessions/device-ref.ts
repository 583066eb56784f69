import { createHmac, hkdfSync } from 'node:crypto';
import type { SessionHandle } from '@sallyport/shared';
import { fromRing, type KeyRing } from '../sealing/key-ring.js';

const purpose = 'sallyport device reference v1';

/**
 * Names a session to its own user, and to nobody else: an HMAC of the handle that is only ever
 * compared with those of the caller's own sessions (ATTACKS 34). In the raw key form a handle is the
 * session id itself, so a bare hash or the handle would not do.
 */
export class DeviceRef {
  readonly #keys: () => readonly Uint8Array[];

  constructor(ring: KeyRing) {
    this.#keys = fromRing(ring, (keys) =>
      keys.map(({ key }) => new Uint8Array(hkdfSync('sha256', key, '', purpose, 32))),
    );
  }

  of(handle: SessionHandle): string {
    return ref(this.#keys()[0] ?? new Uint8Array(), handle);
  }

  /** Also for one that was given out before the ring's first key changed. */
  names(text: string, handle: SessionHandle): boolean {
    return this.#keys().some((key) => ref(key, handle) === text);
  }
}

function ref(key: Uint8Array, handle: SessionHandle): string {
  return createHmac('sha256', key).update(handle).digest('base64url').slice(0, 22);
}
