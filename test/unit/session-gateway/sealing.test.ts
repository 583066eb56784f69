import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import fc from 'fast-check';
import { TokenCipher } from '../../../session-gateway/src/oidc/token-cipher.js';
import type { SealKey } from '../../../session-gateway/src/sealing/key-ring.js';
import { Sealer } from '../../../session-gateway/src/sealing/sealer.js';
import { SessionRef } from '../../../session-gateway/src/sessions/session-ref.js';

const aKey = (kid: string): SealKey => ({ kid, key: new Uint8Array(randomBytes(32)) });
const [oldKey, newKey] = [aKey('old'), aKey('new')];
const aHandle = () => sessionHandle(newSessionId(), 'hashed');
const tokens = {
  accessToken: 'canary-access',
  idToken: 'canary-id',
  refreshToken: 'canary-refresh',
  scope: 'openid',
  expiresAt: 1_800_000_000,
};
const flipped = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

describe('TokenCipher', () => {
  const cipher = new TokenCipher(new Sealer([newKey, oldKey]));

  it('gives back what was sealed, and shows none of it', async () => {
    const handle = aHandle();
    const sealed = await cipher.seal(tokens, handle);

    expect(await cipher.open(sealed, handle)).toEqual(tokens);
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('canary');
    expect(JSON.parse(Buffer.from(sealed.split('.')[0] ?? '', 'base64url').toString())).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: 'new',
      place: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
  });

  it('keeps out what the provider did not send', async () => {
    const handle = aHandle();
    const few = { accessToken: 'a', idToken: 'i' };

    expect(await cipher.open(await cipher.seal(few, handle), handle)).toEqual(few);
  });

  it('never names a raw session id in the header', async () => {
    const id = newSessionId();
    const sealed = await cipher.seal(tokens, sessionHandle(id, 'raw'));

    expect(Buffer.from(sealed.split('.')[0] ?? '', 'base64url').toString()).not.toContain(id);
  });

  it('opens for no other session', async () => {
    const sealed = await cipher.seal(tokens, aHandle());

    await expect(cipher.open(sealed, aHandle())).rejects.toMatchObject({ code: 'broken_seal' });
  });

  it('opens what any key of the ring sealed', async () => {
    const handle = aHandle();
    const sealed = await new TokenCipher(new Sealer([oldKey])).seal(tokens, handle);

    expect(await cipher.open(sealed, handle)).toEqual(tokens);
  });

  it('reg-A32: cannot know what a key outside the ring sealed', async () => {
    const handle = aHandle();
    const sealed = await cipher.seal(tokens, handle);
    const replica = new TokenCipher(new Sealer([oldKey]));

    await expect(replica.open(sealed, handle)).rejects.toMatchObject({ code: 'unknown_seal_key' });
  });

  it('reg-11: opens nothing that was changed, wherever', async () => {
    const handle = aHandle();
    const sealed = await cipher.seal(tokens, handle);
    for (let at = 0; at < sealed.length; at += 1) {
      // The last characters of a base64url part may carry unused bits.
      if (sealed[at] === '.' || sealed[at + 1] === '.' || at === sealed.length - 1) continue;
      await expect(cipher.open(flipped(sealed, at), handle)).rejects.toHaveProperty('code');
    }
  });

  it.each(['', 'x', '....', '{}', 'e30.e30.e30.e30.e30'])('is not upset by %j', async (text) => {
    await expect(cipher.open(text, aHandle())).rejects.toHaveProperty('name', 'SealError');
  });
});

describe('SessionRef', () => {
  const ref = new SessionRef([newKey, oldKey]);

  it('gives back the handle, and shows it to nobody', () => {
    const handle = sessionHandle(newSessionId(), 'raw');
    const value = ref.write(handle);

    expect(ref.read(value)).toBe(handle);
    expect(value).toMatch(/^new\.[A-Za-z0-9_-]{95}$/);
    expect(value).not.toContain(handle);
    expect(Buffer.from(value.slice(4), 'base64url').toString('latin1')).not.toContain(handle);
  });

  it('never writes the same twice', () => {
    const handle = aHandle();

    expect(ref.write(handle)).not.toBe(ref.write(handle));
  });

  it('reads what any key of the ring wrote, and nothing else', () => {
    const handle = aHandle();

    expect(ref.read(new SessionRef([oldKey]).write(handle))).toBe(handle);
    expect(ref.read(new SessionRef([aKey('new')]).write(handle))).toBeUndefined();
    expect(ref.read(new SessionRef([aKey('other')]).write(handle))).toBeUndefined();
  });

  it('reads nothing that was changed', () => {
    const value = ref.write(aHandle());
    for (let at = 0; at < value.length - 1; at += 1) {
      expect(ref.read(flipped(value, at))).toBeUndefined();
    }
  });

  it('reads nothing out of anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z0-9_-]{95}$/)), (text) => {
        expect(ref.read(text)).toBeUndefined();
        expect(ref.read(`new.${text}`)).toBeUndefined();
      }),
    );
  });
});
