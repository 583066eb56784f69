import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { refreshDueKey } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { RegistrationsFolder } from '../support/idp-clients.js';
import { idpClient, startIdp, type TestIdp } from '../support/idp.js';
import { describeOnRedis } from '../support/redis.js';
import { metric, sessionOf, tokenVersion, type LiveSession } from '../support/replicas.js';
import { letTimePass } from '../support/time-travel.js';
import { until } from '../support/until.js';

/** Their registrations: that of the variables, and one of the file. */
const ids = { silent: 'idp', healthy: 'healthy' } as const;
type Which = keyof typeof ids;
/** More than the worker's places, several times. */
const counts: Readonly<Record<Which, number>> = { silent: 60, healthy: 10 };
/** One call to the silent provider holds its place for so long, ms. */
const idpTimeout = 6_000;
/** Three rounds of the worker at the silent provider take longer. */
const patience = 12_000;
/** Tokens of 600 s and permissions of 900 s are due after it. */
const untilDue = 601;

describeOnRedis(
  '6.2',
  'a provider that takes requests and answers none',
  (redis) => {
    const folder = new RegistrationsFolder();
    let stack: GatewayStack;
    let idps: Readonly<Record<Which, TestIdp>>;
    let sessions: Record<Which, LiveSession[]>;
    const admin = (): Redis => redis().admin;

    beforeAll(async () => {
      let healthy: TestIdp | undefined;
      folder.writeFiles({ secret: idpClient.secret });
      const registration = { id: ids.healthy, clientId: idpClient.id, clientSecretFile: 'secret' };
      stack = await startGatewayStack(
        redis(),
        () => ({
          IDP_REGISTRATIONS_FILE: folder.write([{ ...registration, issuer: healthy?.issuer }]),
          IDP_TIMEOUT_MS: String(idpTimeout),
          REFRESH_RETRY_AFTER: String(idpTimeout + 1),
          GATEWAY_LOGIN_RATE_LIMIT: '0',
          SESSION_LIMIT_PER_USER: '0',
        }),
        undefined,
        {
          beside: async (origin) => {
            healthy = await startIdp({
              redirectUris: [`${origin}/login/oauth2/code/${ids.healthy}`],
              postLogoutRedirectUris: [`${origin}/`],
            });
          },
        },
      );
      if (healthy === undefined) throw new Error('no provider');
      idps = { silent: stack.idp, healthy };
    });
    afterAll(async () => {
      await stack.close();
      await idps.healthy.close();
      folder.remove();
    });

    const login = async (id: Which): Promise<LiveSession> => {
      const browser = new BrowserJar();
      const start = await browser.visit(`${stack.origin}/oauth2/authorization/${ids[id]}`);
      const callback = await browser.redirectsUntil(
        String(start.headers.location),
        `${stack.origin}/login/`,
      );
      const answer = await browser.visit(callback, { site: 'cross-site' });
      expect([answer.status, setCookies(answer).length]).toEqual([200, 3]);
      return sessionOf(browser, stack.origin);
    };
    /** So many at a time: each asks for a browser's worth of journeys. */
    const logins = async (id: Which): Promise<LiveSession[]> => {
      const done: LiveSession[] = [];
      while (done.length < counts[id]) {
        done.push(...(await Promise.all(Array.from({ length: 5 }, () => login(id)))));
      }
      return done;
    };
    const field = async ({ key }: LiveSession, name: string): Promise<number> =>
      Number(await admin().hget(key, name));
    const all = async (
      id: Which,
      isDone: (session: LiveSession) => Promise<boolean>,
    ): Promise<boolean> => (await Promise.all(sessions[id].map(isDone))).every(Boolean);
    const isRefreshed = async (session: LiveSession): Promise<boolean> =>
      (await tokenVersion(admin(), session)) >= 2;
    const hasNewPermissions = async (session: LiveSession): Promise<boolean> =>
      (await field(session, 'perm_version')) >= 2;
    const isSilent = (): Promise<number> =>
      metric(stack.managementOrigin, 'gateway_idp_silent{idp="idp"}');

    it('holds up neither the sessions of another provider nor its own sessions’ permissions', async () => {
      sessions = { silent: await logins('silent'), healthy: await logins('healthy') };
      idps.silent.intercept = (request) => request.url === '/token';
      const asked = idps.silent.count('/token');
      // Those of the silent one have been due for longer: they come first.
      const now = Math.floor(Date.now() / 1000);
      for (const [id, second] of [
        ['silent', now + 500],
        ['healthy', now + 590],
      ] as const) {
        for (const { handle } of sessions[id]) await admin().zadd(refreshDueKey, second, handle);
      }
      await letTimePass(admin(), untilDue);

      await until(() => all('healthy', isRefreshed), patience);
      // Those that wait for the provider have asked for their permissions before.
      await until(() => all('silent', hasNewPermissions), 2 * idpTimeout + patience);
      await until(async () => (await isSilent()) === 1, patience);
      expect(idps.silent.count('/token') - asked).toBeLessThan(counts.silent - 16);
      // Who was spared has no use of its token counted, and rests nowhere.
      const locks = await admin().keys('gateway:refresh-lock:*');
      expect(locks.length).toBeLessThan(counts.silent - 16);
      expect(stack.log()).toContain('the provider does not answer');

      idps.silent.intercept = () => false;
      // Everything that was put off is due; one at first, then more and more. Who is put off once more waits.
      await letTimePass(admin(), 30);
      await until(() => all('silent', isRefreshed), 4 * patience);
      await until(async () => (await isSilent()) === 0, patience);
      for (const { refreshes } of [idps.silent, idps.healthy]) {
        expect(refreshes).toMatchObject({ refused: 0, familiesRevoked: 0 });
      }
    }, 150_000);
  },
  { appendOnly: true },
);
