import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { sessionHandle, type SessionId } from '@sallyport/shared';
import { BrowserJar } from '../support/browser-jar.js';
import { sealKeys, startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';

const host = 'localhost';
const right = 'sallyport session reference v1';
const ring = new Map(sealKeys.split(',').map((one) => one.split(':') as [string, string]));

/** A `__Host-sref` as somebody would make it who holds the ring's key, for this purpose or another. */
function sealed(handle: string, how: { kid?: string; says?: string; key?: string; aad?: string }) {
  const { kid = 'k1', says = kid, key = right, aad = right } = how;
  const secret = Buffer.from(ring.get(kid) ?? '', 'base64url');
  const derived = key === '' ? secret : new Uint8Array(hkdfSync('sha256', secret, '', key, 32));
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', derived, iv).setAAD(Buffer.from(aad));
  const text = Buffer.concat([cipher.update(handle, 'ascii'), cipher.final()]);
  return `${says}.${Buffer.concat([iv, text, cipher.getAuthTag()]).toString('base64url')}`;
}

/**
 * The reference names a session and no time: its time is the session's. Whom it names is ended by
 * the next login of whoever shows it, and that is all it is good for.
 */
describeOnRedis(
  '6.2',
  'the session reference at the callback',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      // So many logins of one person in a second: none may end for want of room.
      stack = await startGatewayStack(redis(), { SESSION_LIMIT_PER_USER: '0' });
    });
    afterAll(() => stack.close());

    const cookieOf = (browser: BrowserJar, name: string) => browser.cookies.get(host, name) ?? '';
    const statusOf = async (session: string) => {
      const headers = [['Cookie', `__Host-session=${session}`]] as const;
      return (await exchange(`${stack.origin}/user`, { headers })).status;
    };
    const sessions = async () => (await redis().admins[0]?.keys('extauthz:session:*'))?.length ?? 0;
    /** A new browser that shows this reference logs in. */
    const logInShowing = async (reference: string): Promise<string> => {
      const browser = new BrowserJar();
      const line = `__Host-sref=${reference}; Path=/; Secure; HttpOnly; SameSite=Lax`;
      browser.cookies.store(new URL(stack.origin), line);
      await stack.login(browser);
      return cookieOf(browser, '__Host-session');
    };
    const someoneElse = async () => {
      const session = cookieOf(await stack.login(), '__Host-session');
      return { session, handle: sessionHandle(session as SessionId, 'hashed') };
    };

    it('reg-9: an old one, of a session that has ended, revives nothing and ends nobody', async () => {
      const before = await stack.login();
      const [ended, reference] = [
        cookieOf(before, '__Host-session'),
        cookieOf(before, '__Host-sref'),
      ];
      await before.visit(`${stack.origin}/logout`);
      expect(await statusOf(ended)).toBe(401);
      const other = await someoneElse();
      const count = await sessions();

      for (let use = 1; use <= 2; use += 1) {
        expect(await statusOf(await logInShowing(reference))).toBe(200);
        expect(await sessions()).toBe(count + use);
      }
      expect(await statusOf(other.session)).toBe(200);
      expect(await statusOf(ended)).toBe(401);
    });

    it('reg-9: one good at the time ends its session once, whichever key of the ring sealed it', async () => {
      for (const kid of ring.keys()) {
        const { session, handle } = await someoneElse();
        const reference = sealed(handle, { kid });
        expect(await statusOf(await logInShowing(reference))).toBe(200);
        expect(await statusOf(session)).toBe(401);
        const next = await logInShowing(reference);
        expect(await statusOf(next)).toBe(200);
      }
    });

    it.each([
      ['another purpose’s key', { key: 'sallyport device reference v1' }],
      ['the ring’s key itself', { key: '' }],
      ['another purpose written beside it', { aad: 'sallyport login v1' }],
      ['the name of another key of the ring', { says: 'k0' }],
      ['the name of a key that the ring lacks', { says: 'k9' }],
    ])('reg-9: one with %s ends nobody', async (_what, how) => {
      const { session, handle } = await someoneElse();
      expect(await statusOf(await logInShowing(sealed(handle, how)))).toBe(200);
      expect(await statusOf(session)).toBe(200);
    });
  },
  { appendOnly: true },
);
