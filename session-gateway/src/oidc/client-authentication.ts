import * as client from 'openid-client';
import { isTlsAuthentication, type Credentials, type IdpRegistration } from './idp-registration.js';
import { signingCryptoKey } from './signing-key.js';

type Registered = Pick<IdpRegistration, 'clientAuthentication'> & Credentials;

/**
 * How this registration authenticates at the token, PAR and revocation endpoints (OIDC Core 1.0 §9),
 * with the credentials it has at the time of each call.
 */
export function clientAuthentication(registration: Registered): client.ClientAuth {
  let auth: Promise<client.ClientAuth> | undefined;
  let madeOf: readonly unknown[] = [];
  const prove = async (...call: Parameters<client.ClientAuth>): Promise<void> => {
    const { clientSecret, signingKey } = registration;
    if (auth === undefined || madeOf[0] !== clientSecret || madeOf[1] !== signingKey) {
      auth = authenticationWith(registration);
      madeOf = [clientSecret, signingKey];
    }
    const inForce: (...call: Parameters<client.ClientAuth>) => unknown = await auth;
    await inForce(...call);
  };
  // eslint-disable-next-line @typescript-eslint/no-misused-promises -- openid-client awaits it, as its own private_key_jwt needs
  return prove;
}

async function authenticationWith({
  clientAuthentication: method,
  clientSecret,
  signingKey,
  clientCertificate,
}: Registered): Promise<client.ClientAuth> {
  if (method === 'none') return client.None();
  // Here only the client id: the certificate is the connection's (see `idpFetch`).
  if (isTlsAuthentication(method) && clientCertificate !== undefined) return client.TlsClientAuth();
  if (method === 'private_key_jwt' && signingKey !== undefined) {
    const { algorithm, keyId } = signingKey;
    const key = await signingCryptoKey(signingKey);
    return client.PrivateKeyJwt(keyId === undefined ? key : { key, kid: keyId }, {
      [client.modifyAssertion]: named(algorithm),
    });
  }
  if (clientSecret === undefined) throw new Error('the registration has no credential');
  const basic = client.ClientSecretBasic(clientSecret);
  const post = client.ClientSecretPost(clientSecret);
  if (method === 'client_secret_basic') return basic;
  if (method === 'client_secret_post') return post;
  return (server, ...rest) => {
    const offered = server.token_endpoint_auth_methods_supported;
    (knowsOnlyPost(offered) ? post : basic)(server, ...rest);
  };
}

/** Ed25519 has two names (RFC 9864); the provider knows the registered one. */
export function named(algorithm: string): (header: Record<string, unknown>) => void {
  return (header) => {
    header['alg'] = algorithm;
  };
}

/** Basic is the default of RFC 8414 §2; post only where the provider knows nothing else. */
function knowsOnlyPost(offered: readonly string[] = ['client_secret_basic']): boolean {
  return offered.includes('client_secret_post') && !offered.includes('client_secret_basic');
}
