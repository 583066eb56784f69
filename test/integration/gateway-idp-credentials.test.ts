import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import type { JWK } from 'oidc-provider';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { sealKeys, startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { atProvider, RegistrationsFolder, type RegisteredClient } from '../support/idp-clients.js';
import { idpClient } from '../support/idp.js';
import { describeOnRedis } from '../support/redis.js';
import { metric, postRefresh, sessionOf } from '../support/replicas.js';
import { until } from '../support/until.js';

interface Key {
  readonly pem: string;
  readonly jwk: JWK;
}

function newKey(kid: string): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' }) as JWK;
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { pem, jwk: { ...jwk, kid, use: 'sig', alg: 'ES256' } };
}

const first = newKey('first');
const keyed: RegisteredClient = {
  id: 'keyed',
  metadata: {
    client_id: 'client-keyed',
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'private_key_jwt',
    require_signed_request_object: true,
    jwks: { keys: [first.jwk] },
  },
  fields: { clientAuthentication: 'private_key_jwt', privateKeyFile: 'key.pem', jar: true },
  files: { 'key.pem': first.pem },
};

describeOnRedis(
  '6.2',
  'credentials at the identity provider that come from files',
  (redis) => {
    const folder = new RegistrationsFolder();
    const secrets: string[] = [idpClient.secret, first.pem.slice(40, 100)];
    let stack: GatewayStack;
    beforeAll(async () => {
      folder.writeFiles({ secret: idpClient.secret });
      stack = await startGatewayStack(
        redis(),
        ({ issuer }) => ({
          IDP_CLIENT_SECRET: '',
          IDP_CLIENT_SECRET_FILE: join(folder.folder, 'secret'),
          IDP_REGISTRATIONS_FILE: folder.write(folder.entries([keyed], issuer)),
        }),
        undefined,
        { clients: (origin) => atProvider([keyed], origin) },
      );
    });
    afterAll(async () => {
      await stack.close();
      folder.remove();
    });

    /** Whether a whole login succeeds; the browser is left with its session. */
    async function logsIn(id: string, browser = new BrowserJar()): Promise<boolean> {
      const start = await browser.visit(`${stack.origin}/oauth2/authorization/${id}`);
      const callback = await browser.redirectsUntil(
        String(start.headers.location),
        `${stack.origin}/login/`,
      );
      const answer = await browser.visit(callback, { site: 'cross-site' });
      return setCookies(answer).length === 3;
    }
    /** As a person or Kubernetes replaces a file: at once. */
    const replace = (name: string, text: string): void => {
      const path = join(folder.folder, name);
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    };
    const renewals = (id: string): number =>
      stack
        .log()
        .split('\n')
        .filter((line) => line.includes(`"idp":"${id}"`) && line.includes('new credentials are in'))
        .length;
    const renew = async (id: string, name: string, text: string): Promise<void> => {
      const before = renewals(id);
      replace(name, text);
      await until(() => renewals(id) === before + 1);
    };
    const complaints = (why: string): number => stack.log().split(why).length - 1;
    const rejected = () => metric(stack.managementOrigin, 'gateway_idp_credentials_rejected');

    describe('a client secret', () => {
      it('is replaced without a restart, for logins, refreshes and revocations', async () => {
        const browser = new BrowserJar();
        expect(await logsIn('idp', browser)).toBe(true);
        const next = `secret-${randomBytes(24).toString('base64url')}`;
        secrets.push(next);
        stack.idp.changeClient(idpClient.id, { client_secret: next });
        expect(await logsIn('idp')).toBe(false);

        await renew('idp', 'secret', `${next}\n`);
        expect(await logsIn('idp')).toBe(true);
        const uses = stack.idp.refreshes.used;
        const session = sessionOf(browser, stack.origin);
        expect((await postRefresh(stack.origin, session)).status).toBe(200);
        expect(stack.idp.refreshes.used).toBe(uses + 1);
        await exchange(`${stack.origin}/logout`, {
          method: 'POST',
          headers: [
            ['Cookie', session.cookie],
            ['X-CSRF', '1'],
          ],
        });
        const name = 'gateway_token_revocations_total{outcome="revoked"}';
        await until(async () => (await metric(stack.managementOrigin, name)) === 1);
      });

      it.each([
        ['is empty', '', 'IDP_CLIENT_SECRET_FILE: the file is empty.'],
        ['is a seal key', sealKeys.slice(3, 46), 'TOKEN_SEAL_KEYS: holds IDP_CLIENT_SECRET'],
      ])('that %s changes nothing, and is told once', async (_what, bad, why) => {
        const good = secrets.at(-1) ?? '';
        const before = complaints(why);
        replace('secret', bad);
        await until(async () => (await rejected()) === 1);
        expect(await logsIn('idp')).toBe(true);
        const kept = renewals('idp');
        replace('secret', good);
        await until(async () => (await rejected()) === 0);
        expect(complaints(why)).toBe(before + 1);
        expect(renewals('idp')).toBe(kept);
        expect(await logsIn('idp')).toBe(true);
      });
    });

    describe('a private key', () => {
      it('is replaced without a restart, for client assertions and signed requests', async () => {
        expect(await logsIn('keyed')).toBe(true);
        const next = newKey('second');
        secrets.push(next.pem.slice(40, 100));
        stack.idp.changeClient('client-keyed', { jwks: { keys: [next.jwk] } });
        await renew('keyed', 'key.pem', next.pem);
        expect(await logsIn('keyed')).toBe(true);
        expect(await logsIn('idp')).toBe(true);
      });

      it('that is half a key changes nothing', async () => {
        const why = 'is not a private key';
        replace('key.pem', first.pem.slice(0, 60));
        await until(() => complaints(why) > 0);
        expect(await logsIn('keyed')).toBe(true);
      });
    });

    it('stand in no log', () => {
      for (const secret of secrets) expect(stack.log()).not.toContain(secret);
    });
  },
  { appendOnly: true },
);
