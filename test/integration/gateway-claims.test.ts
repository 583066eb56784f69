import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SessionId } from '@sallyport/shared';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { checkHttp, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { atProvider, clientKinds, RegistrationsFolder } from '../support/idp-clients.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { describeOnRedis, users } from '../support/redis.js';
import { expireTokens, postRefresh, sessionOf } from '../support/replicas.js';
import { until } from '../support/until.js';

const basic = clientKinds().filter(({ id }) => id === 'basic');
const claimsOf = {
  added: { roles: 'realm_access.roles' },
  alone: {
    roles: 'https://acme.test/groups',
    mapping: { '/Admins': { roles: ['ADMIN'], permissions: ['orders:write'] } },
    absent: 'refuse',
    permissionService: 'replace',
  },
  'user-info': { from: 'userinfo', roles: 'groups' },
};
const kinds = Object.entries(claimsOf).map(([id, claims]) => ({
  ...(basic[0] as (typeof basic)[number]),
  id,
  fields: { ...basic[0]?.fields, claims },
  metadata: {
    ...basic[0]?.metadata,
    client_id: `client-${id}`,
  },
}));

describeOnRedis(
  '6.2',
  'roles from the provider’s claims, as the check hands them on',
  (redis) => {
    const folder = new RegistrationsFolder();
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-claims-'));
    let stack: GatewayStack;
    let service: ExtauthzProcess;
    beforeAll(async () => {
      stack = await startGatewayStack(
        redis(),
        ({ issuer }) => ({ IDP_REGISTRATIONS_FILE: folder.write(folder.entries(kinds, issuer)) }),
        undefined,
        {
          clients: (origin) => atProvider(kinds, origin),
          claimNames: ['realm_access', 'https://acme.test/groups', 'groups'],
        },
      );
      const env = { REDIS_URL: redis().servers[0]?.url(users.reader) ?? '' };
      service = await startExtauthz({ directory, env });
    });
    afterAll(async () => {
      await Promise.all([stack.close(), service.child.kill()]);
      folder.remove();
      rmSync(directory, { recursive: true, force: true });
    });
    beforeEach(() => {
      stack.permissions.recover();
      stack.idp.extraClaims = () => ({});
    });

    const callbackOf = async (browser: BrowserJar, id: string) => {
      const start = await browser.visit(`${stack.origin}/oauth2/authorization/${id}`);
      return browser.redirectsUntil(String(start.headers.location), `${stack.origin}/login/`);
    };
    const login = async (id: string): Promise<BrowserJar> => {
      const browser = new BrowserJar();
      const answer = await browser.visit(await callbackOf(browser, id), { site: 'cross-site' });
      expect([answer.status, setCookies(answer).length]).toEqual([200, 3]);
      return browser;
    };
    const refused = async (id: string): Promise<string> => {
      const browser = new BrowserJar();
      const answer = await browser.visit(await callbackOf(browser, id), { site: 'cross-site' });
      return String(answer.headers.location);
    };
    const headersOf = async (browser: BrowserJar) => {
      const id = browser.cookies.get('localhost', '__Host-session') as SessionId;
      const { status, headers } = await checkHttp(service.httpPort, [
        ['cookie', `__Host-session=${id}`],
      ]);
      return [status, headers['x-user-id'], headers['x-roles'], headers['x-permissions']];
    };
    const refresh = async (browser: BrowserJar): Promise<number | undefined> => {
      const session = sessionOf(browser, stack.origin);
      await expireTokens(redis().admins[0], session);
      return (await postRefresh(stack.origin, session)).status;
    };

    it('are added to the permission service’s, and are new after a refresh', async () => {
      stack.idp.extraClaims = () => ({ realm_access: { roles: ['auditor'] } });
      const browser = await login('added');
      const { userId, roles, permissions } = ordinaryGrants;
      const rest = permissions.join(',');
      expect(await headersOf(browser)).toEqual([
        ...[200, userId, [...roles, 'auditor'].join(','), rest],
      ]);

      stack.idp.extraClaims = () => ({ realm_access: { roles: ['editor'] } });
      expect(await refresh(browser)).toBe(200);
      await until(async () => (await headersOf(browser))[2] === [...roles, 'editor'].join(','));

      // Gone at the provider: gone here.
      stack.idp.extraClaims = () => ({});
      expect(await refresh(browser)).toBe(200);
      await until(async () => (await headersOf(browser))[2] === roles.join(','));
    });

    it('stand in the permission service’s place, mapped, and it is never asked', async () => {
      const asked = stack.permissions.requests.length;
      stack.idp.extraClaims = () => ({ 'https://acme.test/groups': ['/Admins', '/Guests'] });
      const browser = await login('alone');
      expect(await headersOf(browser)).toEqual([200, 'alone:auth0|ada', 'ADMIN', 'orders:write']);
      stack.idp.extraClaims = () => ({ 'https://acme.test/groups': ['/Guests'] });
      expect(await refresh(browser)).toBe(200);
      await until(async () => (await headersOf(browser))[2] === '');
      expect(stack.permissions.requests.length).toBe(asked);
    });

    it('are read from UserInfo, at the refresh too', async () => {
      stack.idp.extraClaims = (use) => ({ groups: [use === 'userinfo' ? 'told' : 'wrong'] });
      const browser = await login('user-info');
      expect((await headersOf(browser))[2]).toBe([...ordinaryGrants.roles, 'told'].join(','));
      stack.idp.extraClaims = () => ({ groups: ['newer'] });
      expect(await refresh(browser)).toBe(200);
      const expected = [...ordinaryGrants.roles, 'newer'].join(',');
      await until(async () => (await headersOf(browser))[2] === expected);
    });

    it('refuse the login where they may not become headers, and say why', async () => {
      stack.idp.extraClaims = () => ({ realm_access: { roles: ['a,ADMIN'] } });
      expect(await refused('added')).toContain('/login?error=auth_failed');
      await until(() => stack.log().includes('claims_bad_name'));
      expect(stack.log()).toContain('the claims make roles[0]: only letters, digits');
      expect(stack.log()).not.toContain('a,ADMIN');
      stack.idp.extraClaims = () => ({});
      expect(await refused('alone')).toContain('/login?error=auth_failed');
      await until(() => stack.log().includes('there is no claim https://acme.test/groups'));
    });

    it('end what they granted where a refresh brings claims that cannot be used', async () => {
      stack.idp.extraClaims = () => ({ realm_access: { roles: ['auditor'] } });
      const browser = await login('added');
      stack.idp.extraClaims = () => ({ realm_access: { roles: 'x'.repeat(129) } });
      expect(await refresh(browser)).toBe(200);
      // Capped: it cannot outlive its last good answer by more than what that is good for.
      const { key } = sessionOf(browser, stack.origin);
      expect(await redis().admins[0]?.hgetall(key)).toMatchObject({
        claimed: 'unusable',
        cap_at: expect.stringMatching(/^[0-9]{10}$/),
        token_version: '2',
      });
    });

    describe('where the permission service is down', () => {
      it('nobody logs in by claims alone that are only added', async () => {
        stack.permissions.answer = answerJson(503, {});
        stack.idp.extraClaims = () => ({ realm_access: { roles: ['auditor'] } });
        const browser = new BrowserJar();
        const answer = await browser.visit(await callbackOf(browser, 'added'), {
          site: 'cross-site',
        });
        expect([
          answer.status,
          setCookies(answer).filter((one) => one.startsWith('__Host-session')),
        ]).toEqual([503, []]);
      });
    });
  },
  { appendOnly: true },
);
