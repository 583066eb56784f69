import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { freshBytes, parseSessionHandle, type SessionHandle } from '@sallyport/shared';
import { fromRing, type KeyRing, type SealKey } from '../sealing/key-ring.js';

const purpose = 'sallyport session reference v1';
const ivBytes = 12;
const tagBytes = 16;

/**
 * The value of `__Host-sref`: says which session a browser holds where the Strict session cookie is
 * not sent, and is no credential (ATTACKS 21). Authenticated encryption rather than a bare
 * signature: with `SESSION_KEY_FORM=raw` a readable handle would be the session id itself.
 */
export class SessionRef {
  readonly #keys: () => readonly SealKey[];

  /** Each key of the ring yields one of its own, so that neither use can weaken the other. */
  constructor(ring: KeyRing) {
    this.#keys = fromRing(ring, (keys) =>
      keys.map(({ kid, key }) => ({
        kid,
        key: new Uint8Array(hkdfSync('sha256', key, '', purpose, 32)),
      })),
    );
  }

  write(handle: SessionHandle): string {
    const [first] = this.#keys();
    if (first === undefined) throw new Error('the key ring is empty');
    const iv = freshBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', first.key, iv, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(purpose));
    const text = Buffer.concat([cipher.update(handle, 'ascii'), cipher.final()]);
    return `${first.kid}.${Buffer.concat([iv, text, cipher.getAuthTag()]).toString('base64url')}`;
  }

  /** The handle, or undefined for anything that is not ours: all failures look alike. */
  read(value: string): SessionHandle | undefined {
    const [, kid, encoded] = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{95})$/.exec(value) ?? [];
    const key = this.#keys().find((candidate) => candidate.kid === kid)?.key;
    if (key === undefined || encoded === undefined) return undefined;
    const bytes = Buffer.from(encoded, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(Buffer.from(purpose));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    try {
      const text = decipher.update(bytes.subarray(ivBytes, -tagBytes), undefined, 'ascii');
      return parseSessionHandle(text + decipher.final('ascii'));
    } catch {
      return undefined;
    }
  }
}
