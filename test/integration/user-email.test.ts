import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { BrowserJar } from '../support/browser-jar.js';
import { startEdge, type Edge } from '../support/envoy.js';
import { startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis, users } from '../support/redis.js';

const addresses: Readonly<Record<string, string>> = {
  'auth0|ada': 'ada@example.org',
  'auth0|mia': 'мия@пример.рф',
  'auth0|eve': 'eve@elsewhere.example@example.org',
};

describeOnRedis(
  '6.2',
  'X-User-Email, switched on for both services',
  (redis) => {
    const env = { EXTAUTHZ_SEND_EMAIL: 'true' };
    let directory: string;
    let stack: GatewayStack;
    let extauthz: ExtauthzProcess;
    let edge: Edge;
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'sallyport-email-'));
      stack = await startGatewayStack(redis(), env, undefined, {
        emailOf: (sub) => addresses[sub] ?? '',
      });
      const REDIS_URL = redis().servers[0]?.url(users.reader) ?? '';
      extauthz = await startExtauthz({ directory, env: { ...env, REDIS_URL } });
      edge = await startEdge({ mode: 'http', directory, extauthz });
    });
    afterAll(async () => {
      await edge.stop();
      await extauthz.child.stop();
      await stack.close();
      rmSync(directory, { recursive: true, force: true });
    });

    /** What the service behind the edge is told of this browser's person. */
    async function arrivalOf(browser: BrowserJar): Promise<ReadonlyMap<string, string>> {
      edge.arrivals.length = 0;
      const session = browser.cookies.get('localhost', '__Host-session') ?? '';
      const answer = await exchange(`http://127.0.0.1:${String(edge.port)}/api/me`, {
        headers: [['Cookie', `__Host-session=${session}`]],
      });
      expect(answer.status).toBe(200);
      return new Map(edge.arrivals[0]?.headers);
    }

    it('brings the address to the service', async () => {
      const arrival = await arrivalOf(await stack.login());
      expect([arrival.get('x-user-id'), arrival.get('x-user-email')]).toEqual([
        'user-7',
        'ada@example.org',
      ]);
    });

    it('reg-25: hands on an address of two domains as it is, and decides nothing by it', async () => {
      stack.idp.nextSubject = 'auth0|eve';
      const arrival = await arrivalOf(await stack.login());
      expect([arrival.get('x-user-email'), arrival.get('x-roles')]).toEqual([
        'eve@elsewhere.example@example.org',
        'ADMIN,USER',
      ]);
    });

    it('lets in a person whose address fits no header, without it', async () => {
      stack.idp.nextSubject = 'auth0|mia';
      const arrival = await arrivalOf(await stack.login());
      expect([arrival.get('x-user-id'), arrival.get('x-user-email')]).toEqual(['user-7', '']);
    });
  },
  { appendOnly: true },
);
