import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { revokeSeqKey } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { BrowserJar } from '../support/browser-jar.js';
import { sealKeys, startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { answerText } from '../support/permission-service.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis, users } from '../support/redis.js';

/** Every secret of a login, seen from outside. */
class Canaries {
  readonly #found = new Set<string>();

  add(...texts: (string | undefined)[]): void {
    for (const text of texts) if (text !== undefined && text.length > 8) this.#found.add(text);
  }

  addQuery(url: string): void {
    for (const name of ['state', 'nonce', 'code', 'code_challenge']) {
      this.add(new URL(url).searchParams.get(name) ?? undefined);
    }
  }

  /** By position: a failing test must not print them. */
  foundIn(text: string): number[] {
    return [...this.#found].flatMap((canary, index) => (text.includes(canary) ? [index] : []));
  }

  get count(): number {
    return this.#found.size;
  }
}

describeOnRedis(
  '6.2',
  'what a thief finds',
  (redis) => {
    let stack: GatewayStack;
    const canaries = new Canaries();
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), { LOG_LEVEL: 'trace' });
      const host = new URL(stack.origin).hostname;
      const pending = new BrowserJar();
      canaries.addQuery(String((await pending.visit(stack.startUrl)).headers.location));

      const browser = new BrowserJar();
      const callback = await stack.beginLogin(browser, '/accounts?secret=canary-in-a-query');
      canaries.addQuery(callback);
      await browser.visit(callback, { site: 'cross-site' });
      await browser.visit(callback, { site: 'cross-site' });
      canaries.add(
        browser.cookies.get(host, '__Host-session'),
        browser.cookies.get(host, '__Host-sref'),
      );
      await browser.visit(`${stack.origin}/user?token=canary-in-a-query`);

      const unlucky = new BrowserJar();
      stack.permissions.answer = answerText(500, 'canary-in-an-answer');
      await unlucky.visit(await stack.beginLogin(unlucky), { site: 'cross-site' });
      stack.permissions.recover();
      const leaving = await stack.login();
      await leaving.visit(`${stack.origin}/logout`);
      canaries.add(...stack.idp.issued, idpClient.secret, users.writer.password);
      canaries.add(...sealKeys.split(',').map((key) => key.slice(3)));
    });
    afterAll(() => stack.close());

    it('in Redis: no id, token, code, state, nonce or verifier, in no key and no value', async () => {
      const entries = await dump(redis());

      expect(entries.map(({ type }) => type).sort()).toContain('string');
      expect(entries.length).toBeGreaterThan(2);
      expect(canaries.count).toBeGreaterThan(15);
      expect(canaries.foundIn(JSON.stringify(entries))).toEqual([]);
      expect(JSON.stringify(entries)).not.toMatch(/"(?:code_verifier|nonce|access_token)"/);
    });

    it('in Redis: no key but the revocation counter without an expiry, none later than a day', async () => {
      for (const { key, ttl } of await dump(redis())) {
        if (key === revokeSeqKey) continue;
        expect(ttl).toBeGreaterThan(0);
        expect(ttl).toBeLessThanOrEqual(86_400_000);
      }
    });

    it('in the log: none of them, no query, no cookie, no email, no subject', () => {
      const log = stack.log();

      expect(log).toContain('login completed');
      expect(log).toContain('permission_service_unavailable');
      expect(canaries.foundIn(log)).toEqual([]);
      expect(log).not.toMatch(/canary-in|ada@example|auth0\|ada|__Host-|returnUrl/);
      for (const line of log.split('\n').filter((text) => text.startsWith('{'))) {
        expect(() => JSON.parse(line) as unknown).not.toThrow();
      }
    });

    it('in the metrics: none of them, and labels only from fixed sets', async () => {
      for (let index = 0; index < 50; index += 1) {
        await new BrowserJar().visit(`${stack.origin}/oauth2/authorization/idp-${String(index)}`);
      }
      const { text } = await exchange(`${stack.managementOrigin}/metrics`);

      expect(text).toContain('gateway_logins_total{idp="idp",outcome="completed"} 2');
      expect(text).toContain('route="/oauth2/authorization/:idp"');
      expect(text).not.toContain('idp-4');
      expect(canaries.foundIn(text)).toEqual([]);
    });
  },
  { appendOnly: true },
);
