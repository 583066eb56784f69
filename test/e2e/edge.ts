import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Mode } from '@sallyport/demo/envoy-process';
import { people } from '@sallyport/demo/idp/people';
import { smokeSteps } from '@sallyport/demo/smoke/steps';
import { logIn, logOut } from '@sallyport/demo/web-client/journeys';
import type { WebClient } from '@sallyport/demo/web-client/web-client';
import { encodeSession, newSessionId, sessionHandle, sessionKey } from '@sallyport/shared';
import { aSession } from '../support/builders.js';
import { forgedLines, forgedValue } from '../support/forged-lines.js';
import { rawRequest } from '../support/raw-http.js';
import { dump } from '../support/redis-dump.js';
import { startTestStack, type TestStack } from '../support/stack.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

const [ada, grace = ada] = people;
const identityNames = ['x-user-id', 'x-roles', 'x-permissions'];

interface Echo {
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What holds at the edge in either mode; each mode's file runs it over a stack of its own. */
export function edgeSuite(mode: Mode): void {
  describe(`the edge, ext_authz over ${mode}`, () => {
    let stack: TestStack;
    let client: WebClient;
    let cookie: string;

    beforeAll(async () => {
      stack = await startTestStack(mode);
      client = stack.newClient();
      await logIn(client, stack.origin, grace);
      cookie = `__Host-session=${client.cookies.get('localhost', '__Host-session') ?? ''}`;
    });
    afterAll(async () => {
      await stack.stop();
    });

    const send = (path: string, lines: readonly string[]): ReturnType<typeof rawRequest> => {
      const host = `Host: localhost:${String(stack.ports.ingress)}`;
      return rawRequest(stack.ports.ingress, [`GET ${path} HTTP/1.1`, host, ...lines]);
    };

    it('lets a person through the smoke journey', async () => {
      for (const { title, run } of smokeSteps(stack.origin, stack.newClient())) {
        await expect(run().then(() => title)).resolves.toBe(title);
      }
    });

    describe.each(Object.entries(forgedLines))('an identity forged %s', (_how, lines) => {
      it('reg-2, reg-28, reg-29: does not reach the API', async () => {
        const answer = await send('/api/echo', [`Cookie: ${cookie}`, ...lines]);
        expect([200, 400]).toContain(answer.status);
        if (answer.status === 400) return;
        const { headers } = JSON.parse(answer.body) as Echo;
        const seen = headers.filter(([name]) => identityNames.includes(name.replaceAll('_', '-')));
        expect(seen).toEqual([
          ['x-user-id', expect.stringMatching(/^u-[0-9]+$/)],
          ['x-roles', grace.role],
          ['x-permissions', 'notes:read,notes:write,reports:read'],
        ]);
        expect(answer.body).not.toContain(forgedValue);
      });

      it('does not reach the app, where nothing is checked', async () => {
        const answer = await send('/app-echo', lines);
        expect([200, 400]).toContain(answer.status);
        expect(answer.body).not.toContain(forgedValue);
        expect(answer.body).not.toMatch(/x[-_](user[-_]id|roles|permissions)/i);
      });

      it('is worth nothing without a session', async () => {
        const answer = await send('/api/me', lines);
        expect([400, 401]).toContain(answer.status);
      });
    });

    it('reg-A28: keeps our cookies from the API and lets the others through', async () => {
      const { body } = await send('/api/echo', [`Cookie: theme=dark; ${cookie}; lang=de`]);
      const cookies = (JSON.parse(body) as Echo).headers.filter(([name]) => name === 'cookie');
      expect(cookies).toEqual([['cookie', 'theme=dark; lang=de']]);
    });

    it('sends no Cookie header at all when ours was the only one', async () => {
      const { body } = await send('/api/echo', [`Cookie: ${cookie}`]);
      expect((JSON.parse(body) as Echo).headers.map(([name]) => name)).not.toContain('cookie');
    });

    it('reg-A28: keeps the bearer from the API', async () => {
      const id = newSessionId();
      const key = sessionKey('extauthz:session:', sessionHandle(id, 'hashed'));
      const [seconds] = await stack.admin().time();
      const createdAt = Number(seconds);
      const session = aSession({ kind: 'native', createdAt, expiresAt: createdAt + 60 });
      const admin = stack.admin();
      await admin.multi().hset(key, encodeSession(session)).expire(key, 60).exec();
      const { status, body } = await send('/api/echo', [`Authorization: Bearer ${id}`]);
      expect(status).toBe(200);
      expect(body).toContain(session.userId);
      expect(body).not.toContain(id);
      expect((JSON.parse(body) as Echo).headers.map(([name]) => name)).not.toContain(
        'authorization',
      );
    });

    const revocation = 'internal/v1/sessions/users/u-1';
    it.each([
      // Routed as any path that is nobody's; what hides a slash is refused.
      ...[`/${revocation}`, `//${revocation}`, `/auth/../${revocation}`].map(
        (to) => [to, 404] as const,
      ),
      ...[`/auth/%2e%2e/${revocation}`, `/logout/../${revocation}`].map((to) => [to, 404] as const),
      ...[`/auth/..%2f${revocation}`, `/auth/..%5c${revocation}`].map((to) => [to, 400] as const),
    ])('reg-A31: %s leads to no revocation: %i', async (path, expected) => {
      const { status } = await rawRequest(stack.ports.ingress, [
        `DELETE ${path} HTTP/1.1`,
        `Host: localhost:${String(stack.ports.ingress)}`,
        'Authorization: Bearer anything',
        `Cookie: ${cookie}`,
      ]);
      expect(status).toBe(expected);
      expect((await send('/api/echo', [`Cookie: ${cookie}`])).status).toBe(200);
    });

    it('reg-A28: keeps Cookie and Authorization from the app', async () => {
      const lines = [`Cookie: theme=dark; ${cookie}`, 'Authorization: Basic dTpw'];
      const { status, body } = await send('/app-echo', lines);
      expect(status).toBe(200);
      const names = (JSON.parse(body) as Echo).headers.map(([name]) => name);
      expect(names).not.toContain('cookie');
      expect(names).not.toContain('authorization');
    });

    it('reg-12: is an Envoy no older than the one tried, and stands every route in turn', async () => {
      const admin = `http://127.0.0.1:${String(stack.ports.envoyAdmin)}/server_info`;
      const { version } = (await (await fetch(admin)).json()) as { version: string };
      const [, major, minor] = /\/([0-9]+)\.([0-9]+)\.[0-9]+\//.exec(version) ?? [];
      expect(Number(major) * 1000 + Number(minor)).toBeGreaterThanOrEqual(1040);

      const { pid } = stack.part('envoy');
      // Where the filter is switched off per route, and where it is on.
      const routes = { '/app-echo': 200, '/api/echo': 200, '/user': 200, '/api': 200, '/': 200 };
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all(
          Object.keys(routes).map(async (path) => {
            const { status } = await send(path, [`Cookie: ${cookie}`, 'Accept: application/json']);
            return [path, status] as const;
          }),
        );
        expect(Object.fromEntries(answers)).toEqual(routes);
        expect((await send('/api', [])).status).toBe(401);
      }
      expect(stack.part('envoy').pid).toBe(pid);
    });

    it('says 503 while Redis is gone and goes on by itself when it is back', async () => {
      const pids = (): unknown =>
        (['envoy', 'extauthz', 'session-gateway'] as const).map((name) => stack.part(name).pid);
      const before = pids();
      const me = (): ReturnType<WebClient['fetch']> => client.fetch(`${stack.origin}/api/me`);
      expect((await me()).status).toBe(200);

      await stack.redis.kill();
      const outage = await me();
      expect(outage.status).toBe(503);
      expect(outage.headers).toMatchObject({
        'content-type': 'application/problem+json',
        'retry-after': expect.stringMatching(/^[0-9]+$/),
      });
      expect(outage.headers['set-cookie']).toBeUndefined();
      expect(JSON.parse(outage.text)).toMatchObject({ status: 503 });
      const session = await client.fetch(`${stack.origin}/auth/session`);
      expect(session.status).toBe(503);
      expect(session.headers['set-cookie']).toBeUndefined();

      await stack.redis.restart();
      const began = performance.now();
      const statuses = new Set<number>();
      await until(async () => {
        const { status } = await me();
        statuses.add(status);
        return status === 200;
      });
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      process.stdout.write(`${mode}: first 200 after Redis came back: ${seconds} s\n`);
      // Never 401: an outage proves no session gone.
      expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
      expect(pids()).toEqual(before);
    });

    it('leaves no key in Redis without an end', async () => {
      const other = stack.newClient();
      await logIn(other, stack.origin, ada);
      await other.open(`${stack.origin}/oauth2/authorization/idp`);
      const entries = await dump({ admins: [stack.admin()] });
      expect(entries.length).toBeGreaterThan(3);
      const endless = entries.filter(({ ttl }) => ttl === -1).map(({ key }) => key);
      expect(endless.filter((key) => key !== 'gateway:revoke-seq')).toEqual([]);
    });

    it('writes no secret into any log', async () => {
      await logOut(client, stack.origin);
      const secrets = stack.secretsSeen();
      for (const kind of ['code', 'state', 'code_verifier', 'access_token', 'refresh_token']) {
        expect([...secrets.keys()].some((name) => name.startsWith(`${kind} #`))).toBe(true);
      }
      const leaks: string[] = [];
      for (const [file, text] of stack.logs()) {
        for (const [name, value] of secrets) {
          if (text.includes(value)) leaks.push(`${name} in ${file}`);
        }
      }
      expect(leaks).toEqual([]);
    });
  });
}
