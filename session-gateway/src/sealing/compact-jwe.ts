import { createCipheriv, createDecipheriv } from 'node:crypto';
import { freshBytes } from '@sallyport/shared';

/** JWE protected header members of ours (RFC 7516 §4.1). */
export type ProtectedHeader = Readonly<Record<string, unknown>>;

const ivBytes = 12;
const tagBytes = 16;
/** RFC 7516 §7.1 with an empty encrypted key: header, nothing, iv, ciphertext, tag. */
const compactForm =
  /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{22})$/;

/*
 * JWE in compact form, `dir` and `A256GCM` only (RFC 7516, RFC 7518 §4.5, §5.3), by node's own cipher.
 * The JOSE library works through WebCrypto, where every call is a job for another thread: for some
 * kilobytes that costs several times the cipher itself, and a login seals or opens four times. What
 * is written here is what the library writes, and each opens what the other has sealed (a test).
 */

/** @param header further members of the protected header */
export function encryptCompact(text: string, header: ProtectedHeader, key: Uint8Array): string {
  const members = JSON.stringify({ alg: 'dir', enc: 'A256GCM', ...header });
  const encoded = Buffer.from(members).toString('base64url');
  const iv = freshBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  // RFC 7516 §5.1 step 14: the encoded header, as ASCII.
  cipher.setAAD(Buffer.from(encoded, 'ascii'));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const parts = [iv, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'));
  return `${encoded}..${parts.join('.')}`;
}

/** The protected header, which nobody has checked yet. @throws Error on anything but a header. */
export function protectedHeaderOf(jwe: string): ProtectedHeader {
  const [, encoded] = compactForm.exec(jwe) ?? [];
  if (encoded === undefined) throw new Error('not a compact JWE of ours');
  const header: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
  if (typeof header !== 'object' || header === null) throw new Error('the header is no object');
  return header as ProtectedHeader;
}

/** @throws Error unless the key has sealed exactly this, with these algorithms and nothing else. */
export function decryptCompact(jwe: string, key: Uint8Array): string {
  const { alg, enc, zip, crit } = protectedHeaderOf(jwe);
  if (alg !== 'dir' || enc !== 'A256GCM' || zip !== undefined || crit !== undefined) {
    throw new Error('other algorithms than ours');
  }
  const [, header = '', iv = '', ciphertext = '', tag = ''] = compactForm.exec(jwe) ?? [];
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(header, 'ascii'));
  decipher.setAuthTag(Buffer.from(tag, 'base64url'));
  const bytes = Buffer.from(ciphertext, 'base64url');
  return Buffer.concat([decipher.update(bytes), decipher.final()]).toString('utf8');
}
