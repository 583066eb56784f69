import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, type HeaderList } from '@sallyport/demo/web-client/exchange';
import { auditEvent } from '../../session-gateway/src/audit/audit-event.js';
import { auditRef } from '../../session-gateway/src/audit/audit-log.js';
import { BrowserJar } from '../support/browser-jar.js';
import { sealKeys, startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { answerText } from '../support/permission-service.js';
import { describeOnRedis, users } from '../support/redis.js';
import { expireTokens, metric, postRefresh, sessionOf } from '../support/replicas.js';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));
const file = join(folder, 'audit.log');
const token = 'canary-of-an-internal-caller-7Hq2wXz';
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

interface Seen {
  readonly path: string;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
}

describeOnRedis(
  '6.2',
  'what an operator sees',
  (redis) => {
    let stack: GatewayStack;
    const calls: Seen[] = [];
    const secrets = new Set<string>();

    const seen = (request: { url?: string | undefined; headers: NodeJS.Dict<string | string[]> }) =>
      calls.push({
        path: request.url?.split('?', 1)[0] ?? '',
        requestId: request.headers['x-request-id'] as string | undefined,
        traceparent: request.headers['traceparent'] as string | undefined,
      });
    beforeAll(async () => {
      const env = {
        LOG_LEVEL: 'trace',
        AUDIT_LOG_FILE: file,
        INTERNAL_API_TOKENS: `operators:${token}`,
      };
      stack = await startGatewayStack(redis(), env, (request) => {
        seen(request);
        return false;
      });
      const { answer } = stack.permissions;
      stack.permissions.answer = (request, response) => {
        seen(request);
        answer(request, response);
      };
    });
    afterAll(async () => {
      await stack.close();
      rmSync(folder, { recursive: true });
    });

    const audit = () =>
      readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const logLines = () =>
      stack
        .log()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    /** Written when the answer is out. */
    const lineOf = async (id: string) => {
      const find = () => logLines().find(({ requestId }) => requestId === id);
      await until(() => find() !== undefined);
      return find();
    };
    const count = (sample: string) => metric(stack.managementOrigin, sample);
    const handleOf = (browser: BrowserJar) => sessionOf(browser, stack.origin).handle;
    /** Something done while the provider refuses every token. */
    const refused = async (act: () => Promise<unknown>): Promise<void> => {
      const { intercept } = stack.idp;
      stack.idp.intercept = (request, response) => {
        seen(request);
        if (request.url !== '/token') return false;
        request.resume();
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end('{"error":"invalid_grant"}');
        return true;
      };
      await act();
      stack.idp.intercept = intercept;
    };

    describe('of correlation', () => {
      const ask = async (...headers: HeaderList) => {
        const { headers: answer } = await exchange(`${stack.origin}/auth/session`, { headers });
        return String(answer['x-request-id']);
      };

      it('a request’s ids go through the answer, the log, the audit, the provider and the permission service', async () => {
        const browser = new BrowserJar();
        const callback = await stack.beginLogin(browser);
        calls.length = 0;
        await browser.visit(callback, {
          site: 'cross-site',
          headers: [
            ['X-Request-Id', 'req-7.of:test'],
            ['traceparent', traceparent],
          ],
        });
        const paths = calls.map(({ path }) => path);
        expect(paths).toEqual(expect.arrayContaining(['/token', '/me']));
        expect(paths.some((path) => path.includes('/internal/v1/users/'))).toBe(true);
        // The provider's keys are read for everybody.
        for (const call of calls.filter(({ path }) => path !== '/jwks')) {
          expect(call.requestId).toBe('req-7.of:test');
          expect(call.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
          // Our own part of the trace, not our caller's.
          expect(call.traceparent).not.toBe(traceparent);
        }
        const ids = { requestId: 'req-7.of:test', traceId };
        await lineOf('req-7.of:test');
        expect(audit().at(-1)).toMatchObject({ event: 'login', outcome: 'success', ...ids });
        const ours = () => logLines().filter((line) => line['requestId'] === 'req-7.of:test');
        await until(() => ours().length > 1);
        const lines = ours();
        expect(lines.map(({ msg }) => msg)).toEqual(['login completed', 'request']);
        for (const line of lines) expect(line).toMatchObject(ids);
      });

      /** What happens after a login, each under the ids of the request that caused it. */
      const asked = (requestId: string): HeaderList => [
        ['X-Request-Id', requestId],
        ['traceparent', traceparent],
      ];
      const callsOf = (requestId: string) =>
        calls.filter((call) => call.requestId === requestId).map(({ path }) => path);

      it('also where a refresh asks both, and where it fails', async () => {
        const browser = await stack.login();
        const session = sessionOf(browser, stack.origin);
        await expireTokens(redis().admins[0], session);
        const refresh = (requestId: string) =>
          browser.visit(`${stack.origin}/auth/v1/session`, { headers: asked(requestId) });
        await refresh('req-8');
        expect(callsOf('req-8')).toEqual(
          expect.arrayContaining([expect.stringContaining('/internal/v1/users/'), '/token']),
        );
        await expireTokens(redis().admins[0], session);
        await refused(() => refresh('req-9'));
        const failure = { event: 'refresh', outcome: 'failure', requestId: 'req-9', traceId };
        expect(audit()).toContainEqual(expect.objectContaining(failure));
        const messages = () =>
          logLines().flatMap(({ requestId, msg }) => (requestId === 'req-9' ? [msg] : []));
        await until(() => messages().includes('request'));
        expect(messages()).toContain('session ended at the identity provider');
      });

      it('also where a session is replaced or logged out, up to its token’s end at the provider', async () => {
        const browser = await stack.login();
        const callback = await stack.beginLogin(browser);
        await browser.visit(callback, { site: 'cross-site', headers: asked('req-10') });
        const replaced = { event: 'revoke', cause: 'replaced', requestId: 'req-10' };
        expect(audit()).toContainEqual(expect.objectContaining(replaced));
        await browser.visit(`${stack.origin}/logout`, { headers: asked('req-11') });
        const logout = { event: 'logout', outcome: 'success', requestId: 'req-11', traceId };
        expect(audit()).toContainEqual(expect.objectContaining(logout));
        await until(() => callsOf('req-11').includes('/token/revocation'));
      });

      it('also where somebody else ends it', async () => {
        await stack.login();
        await exchange(`${stack.managementOrigin}/internal/v1/sessions/users/user-7`, {
          method: 'DELETE',
          headers: [['Authorization', `Bearer ${token}`], ...asked('req-12')],
        });
        const done = { event: 'admin', action: 'revoke_user', requestId: 'req-12', traceId };
        await until(() =>
          audit().some(({ event, requestId }) => event === 'admin' && requestId === 'req-12'),
        );
        expect(audit()).toContainEqual(expect.objectContaining(done));
        expect(audit()).toContainEqual(
          expect.objectContaining({ event: 'revoke', cause: 'admin', requestId: 'req-12' }),
        );
        await until(() => callsOf('req-12').includes('/token/revocation'));
      });

      it('are made where there are none, and another for every request', async () => {
        const [one, other] = [await ask(), await ask()];
        expect(one).toMatch(/^[0-9a-f-]{36}$/);
        expect(other).not.toBe(one);
        const line = await lineOf(one);
        expect(line?.['traceId']).toMatch(/^[0-9a-f]{32}$/);
      });

      it.each([
        ['too long', 'x'.repeat(65)],
        ['with a space', 'a b'],
        ['with quotes', 'a"b'],
        ['with markup', '<b>'],
      ])('reg-7: a request id %s is not taken', async (_, id) => {
        expect(await ask(['X-Request-Id', id])).toMatch(/^[0-9a-f-]{36}$/);
      });

      it('of two request ids none is taken', async () => {
        const id = await ask(['X-Request-Id', 'one'], ['X-Request-Id', 'two']);
        expect(id).toMatch(/^[0-9a-f-]{36}$/);
      });

      it.each([
        ['of version ff', `ff-${traceId}-00f067aa0ba902b7-01`],
        ['of no trace', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
        ['of no parent', `00-${traceId}-${'0'.repeat(16)}-01`],
        ['in capitals', traceparent.toUpperCase()],
        ['of version 00 with more behind it', `${traceparent}-more`],
        ['that is none', 'canary'],
      ])('a traceparent %s begins another trace', async (_, header) => {
        const id = await ask(['traceparent', header]);
        const line = await lineOf(id);
        expect(line?.['traceId']).toMatch(/^[0-9a-f]{32}$/);
        expect(line?.['traceId']).not.toBe(traceId);
      });

      it('a traceparent of a later version goes on', async () => {
        const id = await ask(['traceparent', `01-${traceId}-00f067aa0ba902b7-01-later`]);
        const line = await lineOf(id);
        expect(line?.['traceId']).toBe(traceId);
      });
    });

    describe('of what happened', () => {
      it('a login, who, where, and the session by a name that opens nothing', async () => {
        const browser = await stack.login();
        expect(audit().at(-1)).toMatchObject({
          ...{ version: 1, event: 'login', outcome: 'success', idp: 'idp', userId: 'user-7' },
          ...{ session: auditRef(handleOf(browser)), ipPrefix: '127.0.0.0/24' },
        });
      });

      it('a login that failed, by class and reason, in the funnel too', async () => {
        const before = await count('gateway_login_failures_total{idp="idp",class="denied"}');
        const browser = new BrowserJar();
        stack.idp.nextError = 'access_denied';
        await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });
        stack.idp.nextError = undefined;
        const failure = { event: 'login', outcome: 'failure', class: 'denied' };
        expect(audit().at(-1)).toMatchObject({ ...failure, reason: 'login_denied' });
        const sample = 'gateway_login_failures_total{idp="idp",class="denied"}';
        expect(await count(sample)).toBe(before + 1);
      });

      it('a login that the permission service spoiled', async () => {
        const { answer } = stack.permissions;
        const browser = new BrowserJar();
        const callback = await stack.beginLogin(browser);
        stack.permissions.answer = answerText(500, 'canary-in-an-answer');
        await browser.visit(callback, { site: 'cross-site' });
        stack.permissions.answer = answer;
        const reason = 'permission_service_unavailable';
        expect(audit().at(-1)).toMatchObject({ event: 'login', outcome: 'failure', reason });
        expect(
          await count('gateway_permission_service_seconds_count{outcome="failed"}'),
        ).toBeGreaterThan(0);
      });

      it('a logout', async () => {
        const browser = await stack.login();
        const session = auditRef(handleOf(browser));
        await browser.visit(`${stack.origin}/logout`);
        expect(audit().at(-1)).toMatchObject({ event: 'logout', userId: 'user-7', session });
      });

      it('a refresh that the provider refused', async () => {
        const sample = 'gateway_refreshes_total{by="request",outcome="session_ended_at_idp"}';
        const before = await count(sample);
        const browser = await stack.login();
        const session = sessionOf(browser, stack.origin);
        await expireTokens(redis().admins[0], session);
        await refused(() => postRefresh(stack.origin, session));
        const events = audit().filter(({ event }) => event === 'refresh');
        expect(events.at(-1)).toMatchObject({
          ...{ outcome: 'failure', reason: 'session_ended_at_idp', ended: true },
          ...{ userId: 'user-7', session: auditRef(session.handle) },
        });
        expect(await count(sample)).toBe(before + 1);
      });

      it('a replaced session, a device that was ended, and all of a user by a service, with its name', async () => {
        const browser = await stack.login();
        const replaced = auditRef(handleOf(browser));
        await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });
        const events = audit().filter(({ event }) => event === 'revoke');
        expect(events.at(-1)).toMatchObject({ cause: 'replaced', ended: 1, session: replaced });

        const sessions = `${stack.managementOrigin}/internal/v1/sessions/users`;
        const call = (method: string, path: string, bearer: string) =>
          exchange(`${sessions}/${path}`, {
            method,
            headers: [['Authorization', `Bearer ${bearer}`]],
          });
        await call('DELETE', 'user-7', token);
        await until(() => audit().at(-1)?.['event'] === 'admin');
        expect(audit().slice(-2)).toMatchObject([
          { event: 'revoke', cause: 'admin', kind: 'user', userId: 'user-7' },
          { event: 'admin', action: 'revoke_user', outcome: 'success', caller: 'operators' },
        ]);
        const lines = audit().length;
        await call('DELETE', 'user-7', `${token}x`);
        await until(() => audit().length > lines);
        expect(audit().at(-1)).toMatchObject({
          ...{ event: 'admin', action: 'other', outcome: 'failure', reason: 'unknown_caller' },
        });
      });

      it('in a file that may be moved away', async () => {
        renameSync(file, `${file}.1`);
        process.kill(stack.gateway.pid ?? 0, 'SIGHUP');
        await until(() => stack.log().includes('audit log: opened anew'));
        await stack.login();
        expect(audit()).toHaveLength(1);
        expect(audit()[0]).toMatchObject({ event: 'login', outcome: 'success' });
      });
    });

    describe('of all that', () => {
      it('every audit event is of the published form, apart from the log, and holds no secret', async () => {
        const browser = await stack.login();
        const host = new URL(stack.origin).hostname;
        for (const name of ['__Host-session', '__Host-sref']) {
          secrets.add(browser.cookies.get(host, name) ?? '');
        }
        for (const secret of [...stack.idp.issued, idpClient.secret, token]) secrets.add(secret);
        secrets.add(users.writer.password).add(sealKeys.slice(3, 46));
        secrets.add(handleOf(browser));
        const text = readFileSync(file, 'utf8') + readFileSync(`${file}.1`, 'utf8');
        const events = text.trim().split('\n');

        expect(events.length).toBeGreaterThan(10);
        for (const event of events) {
          expect(auditEvent.safeParse(JSON.parse(event)).error).toBeUndefined();
        }
        expect(secrets.size).toBeGreaterThan(15);
        expect([...secrets].filter((secret) => secret === '' || text.includes(secret))).toEqual([]);
        expect(text).not.toMatch(/ada@example|auth0\|ada|canary|code=|state=/);
        for (const one of logLines()) expect(one).not.toHaveProperty('event');
      });

      it('the metrics tell the funnel, the refreshes, the calls and the sessions; nobody is named', async () => {
        const { text } = await exchange(`${stack.managementOrigin}/metrics`);
        for (const outcome of ['started', 'returned', 'completed']) {
          expect(
            await count(`gateway_logins_total{idp="idp",outcome="${outcome}"}`),
          ).toBeGreaterThan(5);
        }
        for (const outcome of ['started', 'returned']) {
          const later = outcome === 'started' ? 'returned' : 'completed';
          expect(
            await count(`gateway_logins_total{idp="idp",outcome="${outcome}"}`),
          ).toBeGreaterThanOrEqual(
            await count(`gateway_logins_total{idp="idp",outcome="${later}"}`),
          );
        }
        expect(await count('gateway_idp_seconds_count{idp="idp",outcome="ok"}')).toBeGreaterThan(9);
        expect(
          await count('gateway_permission_service_seconds_count{outcome="ok"}'),
        ).toBeGreaterThan(5);
        expect(text).toMatch(/^gateway_audit_failures_total 0$/m);
        expect(text).not.toMatch(/user-7|auth0|127\.0\.0|req-7/);
        expect([...secrets].filter((secret) => text.includes(secret))).toEqual([]);
      });

      it('the sessions that live are counted: one more at a login, one less at a logout', async () => {
        const before = await count('gateway_sessions_live');
        const browser = await stack.login();
        expect(await count('gateway_sessions_live')).toBe(before + 1);
        await browser.visit(`${stack.origin}/logout`);
        await until(async () => (await count('gateway_sessions_live')) === before);
      });

      it('a session that asks too often is counted by its route', async () => {
        const session = sessionOf(await stack.login(), stack.origin);
        let status = 200;
        while (status === 200) ({ status } = await postRefresh(stack.origin, session));
        expect(status).toBe(429);
        expect(await count('gateway_rate_limited_total{route="/auth/refresh"}')).toBe(1);
      });

      it('what Redis refuses is counted by its word', async () => {
        const admin = redis().admins[0];
        await admin?.call('ACL', 'SETUSER', users.writer.name, '-set');
        await new BrowserJar().visit(stack.startUrl);
        await admin?.call('ACL', 'SETUSER', users.writer.name, '+set');
        expect(await count('gateway_redis_errors_total{reason="NOPERM"}')).toBeGreaterThan(0);
      });
    });
  },
  { appendOnly: true },
);
