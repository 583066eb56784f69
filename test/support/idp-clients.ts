import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientMetadata, JWK } from 'oidc-provider';

/** One registration seen from both sides: what the provider holds, and what our file says. */
export interface RegisteredClient {
  readonly id: string;
  /** Laid down at the provider, which enforces it. */
  readonly metadata: ClientMetadata;
  /** Fields of IDP_REGISTRATIONS_FILE beside id, issuer and clientId. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Files that the fields name. */
  readonly files: Readonly<Record<string, string>>;
}

export const clientSecret = 'canary-secret-of-a-registration-4Kd8fQ';

interface KeyAtBoth {
  readonly privateKey: KeyObject;
  /** The public half, as the provider has it. */
  readonly jwks: { readonly keys: JWK[] };
}

function atBoth({ privateKey, publicKey }: KeyPairKeyObjectResult, alg: string): KeyAtBoth {
  const jwk = publicKey.export({ format: 'jwk' }) as JWK;
  return { privateKey, jwks: { keys: [{ ...jwk, kid: 'ours', use: 'sig', alg }] } };
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const rsa = atBoth(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'PS256');
const ec = atBoth(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256');
const ed = atBoth(generateKeyPairSync('ed25519'), 'EdDSA');

const secretFile = { clientSecretFile: 'secret' };
const files = { secret: `${clientSecret}\n` };
const ecKey = { privateKeyFile: 'ec.jwk' };
const ecFiles = {
  'ec.jwk': JSON.stringify({ ...ec.privateKey.export({ format: 'jwk' }), kid: 'ours' }),
};
const everything = {
  require_pushed_authorization_requests: true,
  require_signed_request_object: true,
  dpop_bound_access_tokens: true,
};

/** Every way in which a registration can differ, each one enforced by the provider. */
export function clientKinds(): readonly RegisteredClient[] {
  return [
    kind('basic', { token_endpoint_auth_method: 'client_secret_basic' }, secretFile, files),
    kind(
      'post',
      { token_endpoint_auth_method: 'client_secret_post' },
      { ...secretFile, clientAuthentication: 'client_secret_post' },
      files,
    ),
    kind(
      'rsa-key',
      {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'PS256',
        jwks: rsa.jwks,
      },
      {
        clientAuthentication: 'private_key_jwt',
        privateKeyFile: 'rsa.pem',
        privateKeyId: 'ours',
        privateKeyAlgorithm: 'PS256',
      },
      { 'rsa.pem': pem(rsa.privateKey) },
    ),
    kind(
      'ed-key',
      { token_endpoint_auth_method: 'private_key_jwt', jwks: ed.jwks },
      { clientAuthentication: 'private_key_jwt', privateKeyFile: 'ed.pem' },
      { 'ed.pem': pem(ed.privateKey) },
    ),
    kind(
      'shared-key',
      { id_token_signed_response_alg: 'HS256' },
      { ...secretFile, idTokenAlgorithm: 'HS256' },
      files,
    ),
    kind('signed-user-info', { userinfo_signed_response_alg: 'RS256' }, secretFile, files),
    kind('public', { token_endpoint_auth_method: 'none' }, { clientAuthentication: 'none' }),
    kind(
      'public-dpop',
      { token_endpoint_auth_method: 'none', dpop_bound_access_tokens: true },
      { clientAuthentication: 'none', dpop: true },
    ),
    kind(
      'par',
      { require_pushed_authorization_requests: true },
      { ...secretFile, par: true },
      files,
    ),
    kind(
      'jar',
      { require_signed_request_object: true, jwks: ec.jwks },
      { ...secretFile, ...ecKey, jar: true },
      { ...files, ...ecFiles },
    ),
    kind('dpop', { dpop_bound_access_tokens: true }, { ...secretFile, dpop: true }, files),
    kind(
      'everything',
      { token_endpoint_auth_method: 'private_key_jwt', jwks: ec.jwks, ...everything },
      { clientAuthentication: 'private_key_jwt', ...ecKey, par: true, jar: true, dpop: true },
      ecFiles,
    ),
  ];
}

function kind(
  id: string,
  metadata: Partial<ClientMetadata>,
  fields: Readonly<Record<string, unknown>>,
  theirFiles: Readonly<Record<string, string>> = {},
): RegisteredClient {
  const hasSecret = 'clientSecretFile' in fields;
  return {
    id,
    fields,
    files: theirFiles,
    metadata: {
      client_id: `client-${id}`,
      ...(hasSecret ? { client_secret: clientSecret } : {}),
      grant_types: ['authorization_code', 'refresh_token'],
      ...metadata,
    },
  };
}

/** As the provider registers them for a gateway at this origin. */
export function atProvider(
  clients: readonly RegisteredClient[],
  origin: string,
): readonly ClientMetadata[] {
  return clients.map(({ id, metadata }) => ({
    ...metadata,
    redirect_uris: [`${origin}/login/oauth2/code/${id}`],
    post_logout_redirect_uris: [`${origin}/`],
    backchannel_logout_uri: `${origin}/auth/backchannel-logout`,
    backchannel_logout_session_required: true,
  }));
}

/** IDP_REGISTRATIONS_FILE with what it names, in a folder of its own. */
export class RegistrationsFolder {
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-registrations-'));
  readonly file = join(this.folder, 'registrations.json');

  /** @returns the path of the file */
  write(registrations: readonly object[], more: Readonly<Record<string, unknown>> = {}): string {
    writeFileSync(this.file, JSON.stringify({ ...more, registrations }, undefined, 2));
    return this.file;
  }

  /** Registers them all with one issuer. @returns the entries of the file */
  entries(clients: readonly RegisteredClient[], issuer: string): readonly object[] {
    for (const client of clients) this.writeFiles(client.files);
    return clients.map(({ id, metadata, fields }) => ({
      id,
      issuer,
      clientId: metadata.client_id,
      ...fields,
    }));
  }

  writeFiles(contents: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(contents)) {
      writeFileSync(join(this.folder, name), text);
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
