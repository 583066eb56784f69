import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { asMachine, BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, answerText } from '../support/permission-service.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

interface Failure {
  readonly name: string;
  /** What the provider's token endpoint does; or what it tells the browser. */
  readonly token?: Answering;
  readonly denial?: string;
  readonly reason: string;
  readonly page: 'login' | 'oops';
  readonly status: 401 | 503;
}

const failures: readonly Failure[] = [
  { name: 'timeout', token: () => undefined, reason: 'idp_unreachable', page: 'oops', status: 503 },
  {
    name: 'connect',
    token: (request) => request.socket.destroy(),
    reason: 'idp_unreachable',
    page: 'oops',
    status: 503,
  },
  {
    name: 'server_error',
    token: answerText(502, 'canary-of-the-provider'),
    reason: 'idp_unreachable',
    page: 'oops',
    status: 503,
  },
  {
    name: 'rejected',
    token: answerJson(400, { error: 'invalid_grant', error_description: 'canary-of-the-provider' }),
    reason: 'login_refused',
    page: 'login',
    status: 401,
  },
  { name: 'denied', denial: 'access_denied', reason: 'login_denied', page: 'login', status: 401 },
  {
    name: 'invalid_answer',
    token: answerJson(200, { access_token: 'canary-of-the-provider', token_type: 'Bearer' }),
    reason: 'bad_idp_answer',
    page: 'login',
    status: 401,
  },
  {
    name: 'misconfigured',
    token: answerJson(401, { error: 'invalid_client' }),
    reason: 'idp_unsuitable',
    page: 'oops',
    status: 503,
  },
];

describeOnRedis(
  '6.2',
  'a login that fails',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), { IDP_TIMEOUT_MS: '1000' });
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      stack.idp.nextError = undefined;
      stack.idp.intercept = () => false;
      for (const admin of redis().admins) await admin.flushall();
    });

    /** A login up to the callback, whose answer is returned with what the log said meanwhile. */
    async function fail({ token, denial }: Failure, by: 'person' | 'machine', returnUrl?: string) {
      const browser = new BrowserJar();
      stack.idp.nextError = denial;
      const callback = await stack.beginLogin(browser, returnUrl);
      stack.idp.intercept = (request, response) => {
        if (token === undefined || request.url !== '/token') return false;
        token(request, response);
        return true;
      };
      const from = stack.log().length;
      const answer = await (by === 'machine'
        ? asMachine(callback, browser)
        : browser.visit(callback, { site: 'cross-site' }));
      const linesSince = () =>
        stack
          .log()
          .slice(from, stack.log().lastIndexOf('\n'))
          .split('\n')
          .filter((line) => line.endsWith('}'))
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      // The request's own line is the last one.
      await until(() => linesSince().some(({ route }) => route === '/login/oauth2/code/:idp'));
      const lines = linesSince();
      return { browser, callback: new URL(callback), answer, lines };
    }

    async function counted(name: string): Promise<number> {
      const { text } = await new BrowserJar().visit(`${stack.managementOrigin}/metrics`);
      const line = new RegExp(
        `^gateway_login_failures_total\\{idp="idp",class="${name}"\\} (\\d+)`,
      );
      return Number(text.split('\n').flatMap((one) => line.exec(one)?.[1] ?? [])[0] ?? 0);
    }

    describe.each(failures)('with $name', (failure) => {
      const { name, reason, page, status } = failure;

      it('leads a person to the right page', async () => {
        const { answer, browser } = await fail(failure, 'person', '/accounts?a=b');
        const back = encodeURIComponent(`${stack.origin}/accounts?a=b`);
        expect(answer.status).toBe(303);
        expect(answer.headers['location']).toBe(
          page === 'oops'
            ? `${stack.origin}/oops`
            : `${stack.origin}/login?error=auth_failed&returnUrl=${back}`,
        );
        expect(answer.headers['cache-control']).toBe('no-store');
        expect(setCookies(answer)).toEqual([
          expect.stringMatching(
            /^__Host-login-[0-9a-f]{8}=; Max-Age=0; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
          ),
        ]);
        expect((await dump(redis())).filter(({ key }) => key.includes('session'))).toEqual([]);
        expect((await browser.visit(`${stack.origin}/user`)).status).toBe(401);
      });

      it('answers a machine with a problem', async () => {
        const { answer } = await fail(failure, 'machine');
        expect(answer.status).toBe(status);
        expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
        expect(JSON.parse(answer.text)).toEqual({
          type: 'about:blank',
          title: status === 401 ? 'Unauthorized' : 'Service Unavailable',
          status,
          reason,
          detail: expect.any(String),
        });
        expect(answer.headers['retry-after']).toBe(status === 503 ? '1' : undefined);
        expect(answer.text).not.toContain('canary');
      });

      it('is one line in the log, by its class, and one count; no secret in either', async () => {
        const before = await counted(name);
        const { lines, callback, browser } = await fail(failure, 'person');
        const warnings = lines.filter(({ msg }) => msg === 'request failed');
        expect(warnings).toEqual([expect.objectContaining({ reason, class: name })]);
        const text = JSON.stringify(lines);
        const { searchParams } = callback;
        const secrets = [
          searchParams.get('code') ?? searchParams.get('state'),
          searchParams.get('state'),
          browser.cookies.header(callback, { sameSite: true, topLevelGet: true }) ?? 'canary',
          'canary',
        ];
        for (const secret of secrets) expect(text).not.toContain(secret);
        expect(await counted(name)).toBe(before + 1);
      });
    });

    it('at its start, because the provider is down, is counted and explained', async () => {
      const late = await startGatewayStack(redis(), {}, (_request, response) => {
        response.destroy();
        return true;
      });
      try {
        const page = await new BrowserJar().visit(late.startUrl);
        const json = await asMachine(late.startUrl, new BrowserJar());
        expect([page.status, page.headers['retry-after']]).toEqual([503, '1']);
        expect(page.text).toContain('The login service does not answer');
        expect(json.status).toBe(503);
        const metrics = await new BrowserJar().visit(`${late.managementOrigin}/metrics`);
        expect(metrics.text).toMatch(
          /^gateway_login_failures_total\{idp="idp",class="connect"\} 2$/m,
        );
      } finally {
        await late.close();
      }
    });
  },
  { appendOnly: true },
);
