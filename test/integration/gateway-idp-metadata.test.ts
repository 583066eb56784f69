import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { BrowserJar } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { changingAnswers, discoveryPath } from '../support/idp-answers.js';
import type { TestIdp } from '../support/idp.js';
import { answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

describeOnRedis(
  '6.2',
  'a provider’s metadata',
  (redis) => {
    describe('that cannot be had', () => {
      it('stops nothing: ready, the right answer at the login, and back without a restart', async () => {
        let down = true;
        const often = { IDP_METADATA_REFRESH_SECONDS: '1' };
        const late = await startGatewayStack(redis(), often, (request, response) => {
          if (down) answerText(503, 'starting')(request, response);
          return down;
        });
        try {
          const page = await new BrowserJar().visit(late.startUrl);
          expect(page.status).toBe(503);
          expect(page.text).toContain('The login service does not answer');
          expect((await exchange(`${late.managementOrigin}/readyz`)).status).toBe(200);
          expect(late.log()).toContain(
            `${late.idp.issuer}${discoveryPath} gave no answer (http_503)`,
          );
          const asked = late.idp.count(discoveryPath);
          await Promise.all(
            Array.from({ length: 20 }, () => new BrowserJar().visit(late.startUrl)),
          );
          expect(late.idp.count(discoveryPath) - asked).toBeLessThan(20);

          down = false;
          // Nobody logs in: its own timer finds out.
          await until(() => late.log().includes('identity provider: ready'));
          await late.login();
        } finally {
          await late.close();
        }
      });

      it.each([
        ['a page', 200, {}, 'answered with something that is no discovery document'],
        ['nothing there', 404, {}, 'answered 404 and no discovery document'],
        [
          'a redirect',
          302,
          { location: 'https://login.acme.test/signin?next=canary' },
          'answered 302 to https://login.acme.test/signin and no discovery document',
        ],
      ])(
        'or is %s: the log names the URL that was tried and what came back',
        async (_what, status, headers, words) => {
          const lost = await startGatewayStack(redis(), {}, (request, response) => {
            answerText(status, '<html>', headers)(request, response);
            return true;
          });
          try {
            expect((await new BrowserJar().visit(lost.startUrl)).status).toBe(503);
            expect(lost.log()).toContain(`${lost.idp.issuer}${discoveryPath} ${words}`);
            expect(lost.log()).not.toContain('canary');
          } finally {
            await lost.close();
          }
        },
      );
    });

    describe('that is read again by a timer', () => {
      let stack: GatewayStack;
      beforeAll(async () => {
        stack = await startGatewayStack(redis(), { IDP_METADATA_REFRESH_SECONDS: '1' });
      });
      afterAll(() => stack.close());
      beforeEach(() => {
        stack.idp.intercept = () => false;
      });
      const reads = async (outcome: string): Promise<number> => {
        const { text } = await exchange(`${stack.managementOrigin}/metrics`);
        const [, count = '0'] =
          new RegExp(`metadata_reads_total{idp="idp",outcome="${outcome}"} ([0-9]+)`).exec(text) ??
          [];
        return Number(count);
      };

      it('is used as it is now', async () => {
        stack.idp.intercept = changingAnswers(discoveryPath, (document) => ({
          ...document,
          authorization_endpoint: `${stack.idp.issuer}/auth?moved=1`,
        }));
        await until(async () => {
          const start = await new BrowserJar().visit(stack.startUrl);
          return String(start.headers.location).includes('moved=1');
        });
      });

      it.each<[string, TestIdp['intercept'] | Record<string, unknown>, string]>([
        ['names another issuer', { issuer: 'https://login.acme.test/' }, 'other_issuer'],
        [
          'offers no S256 any more',
          { code_challenge_methods_supported: ['plain'] },
          'no_pkce_s256',
        ],
        [
          'is gone',
          (request, response) => {
            if (request.url !== discoveryPath) return false;
            answerText(404, 'gone')(request, response);
            return true;
          },
          'no_discovery_document',
        ],
        [
          'cannot be had',
          (request, response) => {
            if (request.url === discoveryPath) response.destroy();
            return request.url === discoveryPath;
          },
          'connect',
        ],
      ])('and that %s changes nothing but the log', async (_what, change, detail) => {
        const kept = await reads('kept');
        stack.idp.intercept =
          typeof change === 'function'
            ? change
            : changingAnswers(discoveryPath, (document) => ({ ...document, ...change }));
        await until(async () => (await reads('kept')) > kept);
        await stack.login();
        const lines = stack
          .log()
          .split('\n')
          .filter((line) => line.includes('going on with what'));
        expect(lines.at(-1)).toContain(`"detail":"${detail}"`);
        stack.idp.intercept = () => false;
        const read = await reads('read');
        await until(async () => (await reads('read')) > read);
      });
    });
  },
  { appendOnly: true },
);
