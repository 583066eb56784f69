import { X509Certificate } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import type { JWK } from 'oidc-provider';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { certificateAuthority, type Certificate } from '../support/certificates.js';
import { gatewayEnv, startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { changingAnswers, discoveryPath } from '../support/idp-answers.js';
import { atProvider, RegistrationsFolder, type RegisteredClient } from '../support/idp-clients.js';
import { shownBy } from '../support/idp-tls.js';
import { startIdp } from '../support/idp.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis, users } from '../support/redis.js';
import { metric, postRefresh, sessionOf } from '../support/replicas.js';
import { runToItsEnd } from '../support/run-to-its-end.js';
import { until } from '../support/until.js';

const authority = certificateAuthority();
const first = {
  one: authority.issue({ name: 'one' }),
  two: authority.issue({ name: 'two' }),
  changing: authority.issue({ name: 'changing' }),
  misled: authority.issue({ name: 'misled' }),
};
const selfSigned = certificateAuthority('own');

function client(
  id: string,
  certificate: Certificate,
  metadata: Partial<RegisteredClient['metadata']>,
  fields: Readonly<Record<string, unknown>> = {},
): RegisteredClient {
  return {
    id,
    metadata: {
      client_id: `client-${id}`,
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'tls_client_auth',
      ...metadata,
    },
    fields: {
      clientAuthentication: 'tls_client_auth',
      clientCertificateFile: `${id}.crt`,
      clientCertificateKeyFile: `${id}.key`,
      ...fields,
    },
    files: { [`${id}.crt`]: certificate.cert, [`${id}.key`]: certificate.key },
  };
}

/** As a provider is given a self-signed certificate (RFC 8705 §2.2.2). */
function publicKeyOf({ cert }: Certificate): JWK {
  const { publicKey, raw } = new X509Certificate(cert);
  return { ...publicKey.export({ format: 'jwk' }), x5c: [raw.toString('base64')] };
}

const clients = [
  client('one', first.one, { tls_client_auth_subject_dn: 'CN=one' }),
  client('two', first.two, { tls_client_auth_subject_dn: 'CN=two' }, { par: true }),
  client(
    'own',
    selfSigned,
    {
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [publicKeyOf(selfSigned)] },
    },
    { clientAuthentication: 'self_signed_tls_client_auth', dpop: true },
  ),
  // Their files are replaced.
  client('changing', first.changing, { tls_client_auth_subject_dn: 'CN=changing' }),
  client('misled', first.misled, { tls_client_auth_subject_dn: 'CN=misled' }, { par: true }),
];
const proving = ['/token', '/token/revocation', '/request', '/me'];

/** A request as the provider saw it. */
interface Asked {
  readonly path: string;
  readonly name: string | undefined;
  readonly isResumed: boolean;
  /** The provider's port: where it was asked. */
  readonly at: number | undefined;
}

describeOnRedis(
  '6.2',
  'TLS client authentication at the identity provider',
  (redis) => {
    const folder = new RegistrationsFolder();
    folder.writeFiles({ 'ca.pem': authority.cert });
    afterAll(() => folder.remove());
    let stack: GatewayStack;
    let asked: Asked[] = [];
    const watch = (request: Parameters<GatewayStack['idp']['intercept']>[0]): void => {
      const { socket, url = '' } = request;
      const [path = ''] = url.split('?', 1);
      asked.push({ path, at: socket.localPort, ...shownBy(socket) });
    };
    const of = (path: string) => asked.filter((one) => one.path === path);
    beforeEach(() => {
      asked = [];
    });
    const start = (withAliases: boolean) =>
      startGatewayStack(
        redis(),
        ({ issuer }) => ({
          IDP_REGISTRATIONS_FILE: folder.write(folder.entries(clients, issuer)),
          NODE_EXTRA_CA_CERTS: join(folder.folder, 'ca.pem'),
          LOG_LEVEL: 'trace',
        }),
        (request) => {
          watch(request);
          return false;
        },
        {
          clients: (origin) => atProvider(clients, origin),
          tls: { authority, aliases: withAliases },
        },
      );

    /** Whether a whole login succeeds; the browser is left with its session. */
    async function logsIn(id: string, browser = new BrowserJar(authority.cert)): Promise<boolean> {
      const begun = await browser.visit(`${stack.origin}/oauth2/authorization/${id}`);
      const callback = await browser.redirectsUntil(
        String(begun.headers.location),
        `${stack.origin}/login/`,
      );
      const answer = await browser.visit(callback, { site: 'cross-site' });
      return setCookies(answer).length === 3;
    }

    async function wholeLife(id: string): Promise<void> {
      const browser = new BrowserJar(authority.cert);
      expect(await logsIn(id, browser)).toBe(true);
      const uses = stack.idp.refreshes.used;
      const session = sessionOf(browser, stack.origin);
      expect((await postRefresh(stack.origin, session)).status).toBe(200);
      expect(stack.idp.refreshes.used).toBe(uses + 1);
      const name = 'gateway_token_revocations_total{outcome="revoked"}';
      const revoked = await metric(stack.managementOrigin, name);
      await exchange(`${stack.origin}/logout`, {
        method: 'POST',
        headers: [
          ['Cookie', session.cookie],
          ['X-CSRF', '1'],
        ],
      });
      await until(async () => (await metric(stack.managementOrigin, name)) === revoked + 1);
    }

    describe('with certificates asked for everywhere', () => {
      beforeAll(async () => {
        stack = await start(false);
      });
      afterAll(() => stack.close());

      it.each(['one', 'two', 'own'])(
        '%s: logs in, refreshes, and revokes, by its certificate',
        async (id) => {
          await wholeLife(id);
          const calls = asked.filter(({ path }) => proving.includes(path));
          expect(calls.map(({ name }) => name)).toEqual(calls.map(() => id));
          const expected = id === 'two' ? proving : proving.filter((path) => path !== '/request');
          expect([...new Set(calls.map(({ path }) => path))].sort()).toEqual([...expected].sort());
        },
      );

      it('are not shown where nothing is to be proved, nor by a registration without', async () => {
        expect(await logsIn('idp')).toBe(true);
        expect(of('/token').map(({ name }) => name)).toEqual([undefined]);
        stack.idp.rotateKeys();
        expect(await logsIn('one')).toBe(true);
        expect(of('/jwks').map(({ name }) => name)).toEqual([undefined]);
      });

      it('never share a connection, however close their calls', async () => {
        for (let round = 0; round < 3; round += 1) {
          for (const id of ['one', 'idp', 'two', 'own']) expect(await logsIn(id)).toBe(true);
        }
        const calls = of('/token');
        expect(calls.map(({ name }) => name)).toEqual(
          [0, 1, 2].flatMap(() => ['one', undefined, 'two', 'own']),
        );
      });

      describe('and replaced', () => {
        /** As a person or Kubernetes replaces a file: at once. */
        const replace = (name: string, text: string): void => {
          const path = join(folder.folder, name);
          writeFileSync(`${path}.new`, text);
          renameSync(`${path}.new`, path);
        };
        const renewals = (): number => stack.log().split('new credentials are in force').length - 1;
        const rejected = () => metric(stack.managementOrigin, 'gateway_idp_credentials_rejected');

        it('is in force without a restart, on connections of its own', async () => {
          expect(await logsIn('changing')).toBe(true);
          stack.idp.changeClient('client-changing', { tls_client_auth_subject_dn: 'CN=next' });
          expect(await logsIn('changing')).toBe(false);
          await until(() => stack.log().includes('invalid_client'));

          const before = renewals();
          const notAfter = new Date(Date.UTC(2030, 0, 1));
          const next = authority.issue({ name: 'next', notAfter });
          replace('changing.crt', next.cert);
          // Between the two files: a certificate without its key changes nothing.
          await until(async () => (await rejected()) === 1);
          expect(await logsIn('two')).toBe(true);
          replace('changing.key', next.key);
          await until(() => renewals() === before + 1);
          expect(await rejected()).toBe(0);
          asked = [];
          await wholeLife('changing');
          const calls = asked.filter(({ path }) => proving.includes(path));
          expect(new Set(calls.map(({ name }) => name))).toEqual(new Set(['next']));
          expect(calls.some(({ isResumed }) => isResumed)).toBe(false);
          expect(
            await metric(
              stack.managementOrigin,
              'gateway_idp_certificate_end_timestamp_seconds{idp="changing"}',
            ),
          ).toBe(notAfter.getTime() / 1000);
          expect(stack.log()).toContain(
            'clientCertificateKeyFile (changing): is not the key of the',
          );
        });

        it('is refused by the provider where its authority is another', async () => {
          const before = renewals();
          const forged = certificateAuthority('somebody else').issue({ name: 'misled' });
          // Both in one file each: what is no certificate there is left alone.
          replace('misled.key', forged.cert + forged.key);
          replace('misled.crt', forged.key + forged.cert);
          await until(() => renewals() === before + 1);
          const answer = await new BrowserJar(authority.cert).visit(
            `${stack.origin}/oauth2/authorization/misled`,
          );
          expect(of('/request').map(({ name }) => name)).toEqual(['misled']);
          expect(answer.headers.location).toBeUndefined();
          expect(await logsIn('own')).toBe(true);
        });
      });

      it('leave no key in a log, nor in Redis', async () => {
        const lines = [...Object.values(first), selfSigned].map(({ key }) => key.split('\n')[1]);
        const stored = JSON.stringify(await dump(redis()));
        for (const text of [stack.log(), stored]) {
          expect(text).not.toContain('PRIVATE KEY');
          for (const line of lines) expect(text).not.toContain(line);
        }
      });
    });

    describe('with certificates asked for at addresses of their own', () => {
      beforeAll(async () => {
        stack = await start(true);
      });
      afterAll(() => stack.close());
      const port = () => Number(new URL(stack.idp.issuer).port);

      it.each(['one', 'two', 'own'])('%s: proves itself there, and nowhere else', async (id) => {
        await wholeLife(id);
        const calls = asked.filter(({ path }) => proving.includes(path));
        expect(calls.map(({ at, name }) => [at === port(), name])).toEqual(
          calls.map(() => [false, id]),
        );
      });

      it('asks for nothing there without a certificate', async () => {
        expect(await logsIn('idp')).toBe(true);
        for (const { at, name } of asked) expect([at, name]).toEqual([port(), undefined]);
      });

      it('believes a UserInfo there by its signature only', async () => {
        stack.idp.intercept = (request, response) => {
          watch(request);
          if (request.url !== '/me') return false;
          const claims = { sub: 'auth0|ada', name: 'Mallory' };
          const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
          const header = { alg: 'RS256', kid: stack.idp.keyId };
          response
            .writeHead(200, { 'content-type': 'application/jwt' })
            .end(
              `${part(header)}.${part({ ...claims, iss: stack.idp.issuer, aud: 'client-one' })}.AAAA`,
            );
          return true;
        };
        expect(await logsIn('one')).toBe(false);
        expect(of('/me').map(({ name }) => name)).toEqual(['one']);
        await until(() => stack.log().includes('user_info_'));
      });
    });

    it('is refused at the start where the provider does not take certificates', async () => {
      const idp = await startIdp({
        redirectUris: ['http://127.0.0.1/'],
        postLogoutRedirectUris: [],
        tls: { authority },
      });
      idp.intercept = changingAnswers(discoveryPath, (document) => ({
        ...document,
        token_endpoint_auth_methods_supported: undefined,
        mtls_endpoint_aliases: { token_endpoint: 'http://127.0.0.1:1/token' },
      }));
      try {
        const { code, out } = await runToItsEnd({
          ...gatewayEnv('http://localhost:1', idp.issuer, 'http://127.0.0.1:1'),
          IDP_CLIENT_SECRET: '',
          IDP_CLIENT_AUTHENTICATION: 'tls_client_auth',
          IDP_CLIENT_CERTIFICATE: first.one.cert,
          IDP_CLIENT_CERTIFICATE_KEY: first.one.key,
          NODE_EXTRA_CA_CERTS: join(folder.folder, 'ca.pem'),
          GATEWAY_PORT: '0',
          GATEWAY_MANAGEMENT_PORT: '0',
          REDIS_URL: redis().servers[0]?.url(users.writer) ?? '',
        });
        expect(code).toBe(1);
        expect(out).toContain('it does not take tls_client_auth, only client_secret_basic');
        expect(out).toContain('its mtls_endpoint_aliases.token_endpoint is no https address');
        expect(out).not.toContain(first.one.key.split('\n')[1]);
      } finally {
        await idp.close();
      }
    });
  },
  { appendOnly: true },
);
