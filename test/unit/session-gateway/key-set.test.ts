import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { compactVerify, CompactSign, type JWK } from 'jose';
import { KeySet } from '../../../session-gateway/src/oidc/key-set.js';
import { IdentityProviderError } from '../../../session-gateway/src/oidc/identity-provider-error.js';

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const stranger = newKey();
const keys: Readonly<Record<string, KeyObject>> = Object.fromEntries(
  ['k1', 'k2'].map((kid) => [kid, newKey()]),
);

/** A provider that publishes some of the keys, and whose clock is ours. */
class Published {
  kids: readonly string[] = ['k1'];
  isDown = false;
  fetches = 0;
  now = 1_000_000;
  answer: unknown;
  readonly outcomes: string[] = [];
  readonly set = new KeySet({
    url: 'https://login.acme.test/jwks',
    timeout: 1000,
    clock: () => this.now,
    onFetch: (outcome) => this.outcomes.push(outcome),
    fetch: async () => {
      this.fetches += 1;
      await Promise.resolve();
      if (this.isDown) throw new IdentityProviderError('idp_unreachable', 'connect');
      return Response.json(this.answer ?? { keys: this.kids.map(publicJwk) });
    },
  });

  async verify(kid: string): Promise<string> {
    const key = keys[kid];
    const token =
      key === undefined
        ? madeUp(kid)
        : await new CompactSign(new TextEncoder().encode('x'))
            .setProtectedHeader({ alg: 'ES256', kid })
            .sign(key);
    return compactVerify(token, (header, jws) => this.set.keyOf(header, jws)).then(
      () => 'good',
      (error: unknown) => {
        const { code, detail } = error as { code: string; detail?: string };
        return detail ?? code;
      },
    );
  }
}

/** By a key that nobody will find: no signature is needed to ask for it. */
function madeUp(kid: string): string {
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid })).toString('base64url');
  return `${header}.eA.${Buffer.alloc(64).toString('base64url')}`;
}

function publicJwk(kid: string): JWK {
  const { kty, crv, x, y } = (keys[kid] ?? stranger).export({ format: 'jwk' });
  return { kty, crv, x, y, kid, use: 'sig', alg: 'ES256' } as JWK;
}

const noKey = 'ERR_JWKS_NO_MATCHING_KEY';

describe('KeySet', () => {
  it('is fetched when it is needed, once for all who wait', async () => {
    const provider = new Published();
    expect(provider.fetches).toBe(0);
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => provider.verify('k1')));
    expect(new Set(verdicts)).toEqual(new Set(['good']));
    expect(provider.fetches).toBe(1);
  });

  it('survives a rotation at once, however shortly after a fetch', async () => {
    const provider = new Published();
    await provider.verify('k1');
    provider.kids = ['k2'];
    provider.now += 10;
    expect(await provider.verify('k2')).toBe('good');
    expect(provider.fetches).toBe(2);
    // Withdrawn, and looked for in vain only after the cool-down.
    expect(await provider.verify('k1')).toBe('unknown_key');
  });

  it('R14: loses nothing in 20 rotations: one fetch each, the old key good in the overlap', async () => {
    const provider = new Published();
    await provider.verify('k1');
    for (let rotation = 0; rotation < 20; rotation += 1) {
      const [old, next] = rotation % 2 === 0 ? ['k1', 'k2'] : ['k2', 'k1'];
      provider.kids = [old, next];
      provider.now += 30_000;
      expect([await provider.verify(next), await provider.verify(old)]).toEqual(['good', 'good']);
      provider.kids = [next];
      provider.now += 600_000;
      expect(await provider.verify(next)).toBe('good');
    }
    // One for the new key, one because the set had grown old.
    expect(provider.fetches).toBe(1 + 20 * 2);
  });

  it('T14: looks for 10,000 unknown keys once per 30 s, whatever key ids strangers make up', async () => {
    const provider = new Published();
    await provider.verify('k1');
    const verdicts = new Map<string, number>();
    for (let second = 0; second < 60; second += 1) {
      for (let stranger = 0; stranger < 167; stranger += 1) {
        const verdict = await provider.verify(`made-up-${String(second)}-${String(stranger)}`);
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      }
      expect(await provider.verify('k1')).toBe('good');
      provider.now += 1000;
    }
    const asked = [noKey, 'unknown_key'].map((verdict) => verdicts.get(verdict) ?? 0);
    expect(asked.reduce((sum, times) => sum + times, 0)).toBe(60 * 167);
    expect(provider.fetches).toBe(3);
  });

  it('says that it cannot know while it may not look', async () => {
    const provider = new Published();
    await provider.verify('k1');
    expect(await provider.verify('k9')).toBe(noKey);
    provider.kids = ['k1', 'k2'];
    expect(await provider.verify('k2')).toBe('unknown_key');
    provider.now += 30_000;
    expect(await provider.verify('k2')).toBe('good');
  });

  it('asks a failing provider again only after a while, and goes on with the keys it has', async () => {
    const provider = new Published();
    provider.isDown = true;
    expect(await provider.verify('k1')).toBe('connect');
    expect(await provider.verify('k1')).toBe('connect');
    expect(provider.fetches).toBe(1);
    provider.isDown = false;
    provider.now += 5000;
    expect(await provider.verify('k1')).toBe('good');

    provider.isDown = true;
    provider.now += 600_000;
    expect(await provider.verify('k1')).toBe('good');
    expect(await provider.verify('k1')).toBe('good');
    expect(provider.fetches).toBe(3);
    expect(provider.outcomes).toEqual(['failed', 'read', 'failed']);
  });

  it('looks again for a key soon after a fetch for it failed', async () => {
    const provider = new Published();
    await provider.verify('k1');
    provider.kids = ['k2'];
    provider.isDown = true;
    expect(await provider.verify('k2')).toBe('connect');
    provider.isDown = false;
    provider.now += 5000;
    expect(await provider.verify('k2')).toBe('good');
  });

  it('forgets a withdrawn key after ten minutes', async () => {
    const provider = new Published();
    await provider.verify('k1');
    provider.kids = ['k2'];
    provider.now += 600_000;
    expect(await provider.verify('k1')).toBe(noKey);
  });

  it.each([[{}], [{ keys: 'none' }], [{ keys: [7] }], [[]], ['text']])(
    'takes %j for no key set',
    async (answer) => {
      const provider = new Published();
      provider.answer = answer;
      expect(await provider.verify('k1')).toBe('no_key_set');
    },
  );
});
