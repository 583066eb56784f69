import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { compactVerify, createLocalJWKSet, type JWK, type JWTVerifyGetKey } from 'jose';
import { rs256Jws } from '../../../session-gateway/src/oidc/rs256.js';
import { verifySignature } from '../../../session-gateway/src/oidc/signature.js';

const text = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const payload = text({ sub: 'ada', iss: 'https://login.acme.test' });

interface Pair {
  readonly privateKey: KeyObject;
  readonly jwk: JWK;
}

function rsaPair(kid: string, bits = 2048): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return { privateKey, jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), kid } };
}

/** RS256 over whatever header, by a key. */
function signed(header: object | string, { privateKey }: Pair, body = payload): string {
  const input = `${text(header)}.${body}`;
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
}

/** Every character of the text is another one, one after the other. */
function tampered(jws: string): string[] {
  return Array.from({ length: jws.length }, (_, at) => {
    const other = jws[at] === 'A' ? 'B' : 'A';
    return jws.slice(0, at) + other + jws.slice(at + 1);
  });
}

describe('verifySignature', () => {
  let own: Pair;
  let stranger: Pair;
  let small: Pair;
  let even: Pair;
  let keyOf: JWTVerifyGetKey;
  beforeAll(() => {
    own = rsaPair('own');
    stranger = rsaPair('own');
    small = rsaPair('small', 1024);
    // Its signatures fill their last character.
    even = rsaPair('even', 3072);
    keyOf = createLocalJWKSet({ keys: [own.jwk, small.jwk, even.jwk] });
  });

  /** Judged by us, and by the library alone: `held`, or the error's word. */
  const verdicts = async (jws: string, algorithms = ['RS256']) => {
    const held = () => 'held';
    const ours = await verifySignature(jws, { keyOf, algorithms }).then(
      held,
      (error: unknown) => (error as { detail: string }).detail,
    );
    const library = await compactVerify(jws, keyOf, { algorithms }).then(held, (error: unknown) => {
      const { code } = error as { code?: unknown };
      return typeof code === 'string' ? code.toLowerCase() : 'signature';
    });
    return { ours, library };
  };

  it('takes what holds, and hands on the header', async () => {
    const jws = signed({ alg: 'RS256', kid: 'own', typ: 'JWT' }, own);
    expect(rs256Jws(jws)).toBeDefined();
    expect(await verifySignature(jws, { keyOf, algorithms: ['RS256', 'ES256'] })).toEqual({
      alg: 'RS256',
      typ: 'JWT',
    });
    expect(await verdicts(signed({ alg: 'RS256', kid: 'own' }, own))).toEqual({
      ours: 'held',
      library: 'held',
    });
  });

  it('refuses it with any one character changed, as the library does', async () => {
    const jws = signed({ alg: 'RS256', kid: 'own' }, own);
    // The last character holds two bits that are not part of the signature.
    for (const other of tampered(jws).slice(0, -1)) {
      const { ours, library } = await verdicts(other);
      expect([other, ours]).toEqual([other, library]);
      expect(ours).not.toBe('held');
    }
  });

  it.each<[string, () => string]>([
    ['by another key of this name', () => signed({ alg: 'RS256', kid: 'own' }, stranger)],
    ['by a key that is not published', () => signed({ alg: 'RS256', kid: 'other' }, own)],
    ['by a key that is too short', () => signed({ alg: 'RS256', kid: 'small' }, small)],
    ['that says none', () => `${text({ alg: 'none' })}.${payload}.`],
    ['that says none and is signed', () => signed({ alg: 'none', kid: 'own' }, own)],
    ['that says HS256', () => signed({ alg: 'HS256', kid: 'own' }, own)],
    ['that says PS256', () => signed({ alg: 'PS256', kid: 'own' }, own)],
    ['that says RS384', () => signed({ alg: 'RS384', kid: 'own' }, own)],
    ['that says rs256', () => signed({ alg: 'rs256', kid: 'own' }, own)],
    ['without alg', () => signed({ kid: 'own' }, own)],
    ['with two', () => signed('{"alg":"none","alg":"RS256","kid":"own"}', own)],
    ['with crit', () => signed({ alg: 'RS256', kid: 'own', crit: ['exp'], exp: 1 }, own)],
    ['with an empty crit', () => signed({ alg: 'RS256', kid: 'own', crit: [] }, own)],
    ['with b64', () => signed({ alg: 'RS256', kid: 'own', b64: false, crit: ['b64'] }, own)],
    ['with b64 and no crit', () => signed({ alg: 'RS256', kid: 'own', b64: false }, own)],
    ['whose header is a list', () => signed('[{"alg":"RS256"}]', own)],
    ['whose header is no JSON', () => signed('alg=RS256', own)],
    ['of four parts', () => `${signed({ alg: 'RS256', kid: 'own' }, own)}.AAAA`],
    ['of two parts', () => signed({ alg: 'RS256', kid: 'own' }, own).replace(/\.[^.]*$/, '')],
    ['with padding', () => `${signed({ alg: 'RS256', kid: 'own' }, own)}==`],
    ['with a space', () => `${signed({ alg: 'RS256', kid: 'own' }, own)} `],
    ['without a signature', () => signed({ alg: 'RS256', kid: 'own' }, own).replace(/[^.]*$/, '')],
    ['by a key of 3072 bits', () => signed({ alg: 'RS256', kid: 'even' }, even)],
    ['with one character more', () => `${signed({ alg: 'RS256', kid: 'even' }, even)}A`],
    ['with two more', () => `${signed({ alg: 'RS256', kid: 'even' }, even)}AA`],
    ['of a payload of no length', () => signed({ alg: 'RS256', kid: 'own' }, own, 'AAAAA')],
    ['signed twice over', () => signed({ alg: 'RS256', kid: 'own' }, own, `${payload}${payload}`)],
  ])('judges a token %s as the library does', async (_what, make) => {
    const { ours, library } = await verdicts(make());
    expect(ours).toBe(library);
  });

  it('refuses RS256 where it is not accepted, though the signature holds', async () => {
    const jws = signed({ alg: 'RS256', kid: 'own' }, own);
    for (const algorithms of [['PS256'], ['ES256', 'HS256'], []]) {
      const { ours, library } = await verdicts(jws, algorithms);
      expect(ours).toBe(library);
      expect(ours).not.toBe('held');
    }
  });

  it('never looks at a shared secret with RS256, nor at a key meant for something else', async () => {
    const jws = signed({ alg: 'RS256', kid: 'own' }, own);
    const bytes = () => Buffer.from('a shared secret of thirty-two byte');
    const algorithms = ['RS256'];
    await expect(verifySignature(jws, { keyOf: bytes, algorithms })).rejects.toThrow();
    for (const meant of [
      { alg: 'PS256' },
      { alg: 'RS512' },
      { use: 'enc' },
      { key_ops: ['encrypt'] },
    ]) {
      const other = createLocalJWKSet({ keys: [{ ...own.jwk, ...meant }] });
      await expect(verifySignature(jws, { keyOf: other, algorithms })).rejects.toThrow();
      await expect(compactVerify(jws, other, { algorithms })).rejects.toThrow();
    }
    const secret = () => createPrivateKey(own.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    await expect(verifySignature(jws, { keyOf: secret, algorithms })).rejects.toThrow();
  });
});
