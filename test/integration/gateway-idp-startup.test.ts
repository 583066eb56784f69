import { afterAll, describe, expect, it } from '@jest/globals';
import { gatewayEnv } from '../support/gateway.js';
import { changingAnswers, discoveryPath } from '../support/idp-answers.js';
import { clientKinds, RegistrationsFolder } from '../support/idp-clients.js';
import { startIdp, type TestIdp } from '../support/idp.js';
import { describeOnRedis, users } from '../support/redis.js';
import { runToItsEnd } from '../support/run-to-its-end.js';

describeOnRedis(
  '6.2',
  'a provider’s metadata, at the start,',
  (redis) => {
    describe('that contradicts the registration', () => {
      const folder = new RegistrationsFolder();
      const idps: TestIdp[] = [];
      afterAll(async () => {
        await Promise.all(idps.map((idp) => idp.close()));
        folder.remove();
      });
      /** A provider whose document says this instead. */
      async function saying(change: Record<string, unknown>): Promise<string> {
        const idp = await startIdp({
          redirectUris: ['http://127.0.0.1/'],
          postLogoutRedirectUris: [],
        });
        idps.push(idp);
        idp.intercept = changingAnswers(discoveryPath, (document) => ({ ...document, ...change }));
        return idp.issuer;
      }

      it('is refused at the start, every registration at once, with the URL that was tried', async () => {
        const wanted = new Set(['post', 'par', 'jar', 'dpop', 'rsa-key']);
        const clients = clientKinds().filter(({ id }) => wanted.has(id));
        const old = await saying({
          pushed_authorization_request_endpoint: undefined,
          dpop_signing_alg_values_supported: undefined,
          request_parameter_supported: false,
          token_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt'],
          token_endpoint_auth_signing_alg_values_supported: ['RS256'],
        });
        const others = {
          'other-issuer': await saying({ issuer: 'https://login.acme.test/tenant' }),
          'no-s256': await saying({ code_challenge_methods_supported: ['plain'] }),
          'only-hs': await saying({ id_token_signing_alg_values_supported: ['HS256', 'none'] }),
          'no-jwks': await saying({ jwks_uri: undefined, token_endpoint: undefined }),
          'par-only': await saying({ require_pushed_authorization_requests: true }),
          'jar-only': await saying({ require_signed_request_object: true }),
        };
        const [plain] = folder.entries(clientKinds().slice(0, 1), old);
        const registrations = [
          ...folder.entries(clients, old),
          ...Object.entries(others).map(([id, issuer]) => ({ ...plain, id, issuer })),
        ];
        const { code, out } = await runToItsEnd({
          ...gatewayEnv('http://localhost:1', old, old),
          IDP_ISSUER_URI: '',
          IDP_CLIENT_ID: '',
          IDP_CLIENT_SECRET: '',
          IDP_REGISTRATIONS_FILE: folder.write(registrations),
          GATEWAY_PORT: '0',
          GATEWAY_MANAGEMENT_PORT: '0',
          REDIS_URL: redis().servers[0]?.url(users.writer) ?? '',
        });

        expect(code).toBe(1);
        const fatal = out.split('\n').find((line) => line.includes('"fatal"')) ?? '';
        for (const reason of [
          `${old}${discoveryPath} does not fit`,
          'names no pushed_authorization_request_endpoint',
          'does not list ES256',
          'takes no request objects',
          'it does not take client_secret_post, only client_secret_basic, private_key_jwt',
          'no client assertion signed with PS256, only RS256',
          `${others['other-issuer']}${discoveryPath} names the issuer https://login.acme.test/tenant, and ${others['other-issuer']} is registered`,
          `${others['no-s256']}${discoveryPath} does not fit the registration: it offers PKCE without S256`,
          'nothing but a shared secret',
          'names no token_endpoint. Also it names no jwks_uri',
          'requires pushed authorization requests (PAR). Switch them on',
          'requires signed authorization requests (JAR). Switch them on',
        ]) {
          expect(fatal).toContain(reason);
        }
      }, 180_000);
    });

    it('is not even asked for where the registrations contradict themselves', async () => {
      const folder = new RegistrationsFolder();
      try {
        const issuer = 'https://login.acme.test/';
        folder.writeFiles({ secret: 'a-long-secret-of-the-provider-93', key: 'no key' });
        const registrations = [
          {
            id: 'a',
            issuer,
            clientId: 'a',
            clientAuthentication: 'none',
            clientSecretFile: 'secret',
          },
          { id: 'b', issuer, clientId: 'b', clientAuthentication: 'private_key_jwt' },
          { id: 'c', issuer, clientId: 'c', clientSecretFile: 'secret', jar: true },
          { id: 'd', issuer, clientId: 'd' },
          { id: 'e', issuer, clientId: 'd', clientSecretFile: 'secret' },
          { id: 'f', issuer, clientId: 'f', clientSecretFile: 'secret', privateKeyFile: 'key' },
          { id: 'g', issuer, clientId: 'g', clientSecretFile: 'nowhere' },
          { id: 'a', issuer, clientId: 'h', clientSecretFile: 'secret', idTokenAlgorithm: 'HS512' },
        ];
        const { code, out } = await runToItsEnd(
          {
            ...gatewayEnv('http://localhost:1', issuer, 'http://127.0.0.1:1'),
            IDP_ISSUER_URI: '',
            IDP_CLIENT_ID: '',
            IDP_CLIENT_SECRET: '',
            IDP_REGISTRATIONS_FILE: folder.write(registrations, { default: 'z' }),
          },
          '--check-config',
        );
        expect(code).toBe(1);
        for (const line of [
          'registrations[0].clientSecretFile (a): is set, and with',
          'registrations[1].privateKeyFile (b): is not set. private_key_jwt needs it.',
          'registrations[2].privateKeyFile (c): is not set.',
          'registrations[3].clientSecretFile (d): is not set. client_secret_basic needs it.',
          'e has issuer and clientId of another one',
          'registrations[5].privateKeyFile (f): is not a private key',
          'registrations[6].clientSecretFile (g): the file cannot be read (ENOENT)',
          'registrations[7].idTokenAlgorithm (a): needs a client secret of 64 bytes',
          'the id a occurs twice',
        ]) {
          expect(out).toContain(`  IDP_REGISTRATIONS_FILE: ${line}`);
        }
        expect(out).not.toContain('a-long-secret');
      } finally {
        folder.remove();
      }
    });
  },
  { appendOnly: true },
);
