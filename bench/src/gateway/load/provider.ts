import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface ProviderClient {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
}

/** An OpenID provider in the generator's own process (OIDC Core 1.0, code flow with PKCE). */
export interface Provider {
  readonly issuer: string;
  /** The browser's visit: the authorization request's URL in, the callback's URL out. */
  authorize(url: string, sub: string): string;
  /** Tokens given for refresh tokens so far. */
  readonly refreshes: number;
  /** Token requests refused so far, with the reasons: a benchmark has none. */
  readonly refusals: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

interface Code {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly nonce: string | null;
  readonly challenge: string | null;
  readonly sub: string;
}

const tokenSeconds = 3600;
/** An access token as long as the JWT that many providers give. */
const accessTokenBytes = 600;

/**
 * Small, so that the generator keeps up with what it measures, and strict, so that no shortcut of the
 * measured side passes: every code is good once, for its client, its redirect URI and its PKCE
 * verifier; every refresh token is good once (rotation).
 */
export async function startProvider(
  port: number,
  clients: readonly ProviderClient[],
): Promise<Provider> {
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), ...signing };
  const metadata = JSON.stringify(metadataOf(issuer));
  const keys = JSON.stringify({ keys: [jwk] });
  const codes = new Map<string, Code>();
  const refreshTokens = new Map<string, Code>();
  const accessTokens = new Map<string, string>();
  const refusals: Record<string, number> = {};
  let refreshes = 0;

  const tokensFor = (given: Code): object => {
    const [access, refresh] = [token(accessTokenBytes), token(48)];
    accessTokens.set(access, given.sub);
    refreshTokens.set(refresh, given);
    return {
      access_token: access,
      token_type: 'Bearer',
      expires_in: tokenSeconds,
      refresh_token: refresh,
      scope: 'openid profile email offline_access',
      id_token: idToken(privateKey, issuer, given),
    };
  };
  const grant = (form: URLSearchParams, client: ProviderClient): object => {
    if (form.get('grant_type') === 'refresh_token') {
      const given = taken(refreshTokens, form.get('refresh_token'));
      if (given?.clientId !== client.id) return { error: 'invalid_grant' };
      refreshes += 1;
      return tokensFor(given);
    }
    const given = taken(codes, form.get('code'));
    const verifier = form.get('code_verifier') ?? '';
    const good =
      given?.clientId === client.id &&
      given.redirectUri === form.get('redirect_uri') &&
      given.challenge === createHash('sha256').update(verifier).digest('base64url');
    return good ? tokensFor(given) : { error: 'invalid_grant' };
  };
  const answerToken = (request: IncomingMessage, body: string): object => {
    const form = new URLSearchParams(body);
    const client = authenticated(clients, request.headers.authorization, form);
    const answer = client === undefined ? { error: 'invalid_client' } : grant(form, client);
    if ('error' in answer) {
      const reason = String(answer.error);
      refusals[reason] = (refusals[reason] ?? 0) + 1;
    }
    return answer;
  };
  const answerUserInfo = (request: IncomingMessage): object => {
    const sub = accessTokens.get((request.headers.authorization ?? '').replace('Bearer ', ''));
    return sub === undefined ? { error: 'invalid_token' } : { sub, ...person };
  };

  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    if (request.url === '/token') {
      void bodyOf(request).then((body) => sendObject(response, answerToken(request, body)));
    } else if (request.url === '/userinfo') sendObject(response, answerUserInfo(request));
    else if (request.url === '/jwks') sendText(response, 200, keys);
    else if (request.url === '/.well-known/openid-configuration') {
      sendText(response, 200, metadata);
    } else sendText(response, 404, '{}');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    issuer,
    authorize: (text, sub) => {
      const asked = new URL(text).searchParams;
      const redirectUri = asked.get('redirect_uri') ?? '';
      const client = clients.find(({ id }) => id === asked.get('client_id'));
      if (client?.redirectUri !== redirectUri) throw new Error('an unknown client or redirect URI');
      const code = token(32);
      codes.set(code, {
        clientId: client.id,
        redirectUri,
        nonce: asked.get('nonce'),
        challenge: asked.get('code_challenge'),
        sub,
      });
      const answer = new URLSearchParams({ code, state: asked.get('state') ?? '', iss: issuer });
      return `${redirectUri}?${answer.toString()}`;
    },
    get refreshes() {
      return refreshes;
    },
    refusals,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const signing = { kid: 'k1', use: 'sig', alg: 'RS256' };
const person = {
  name: 'Ada Lovelace',
  email: 'ada@example.org',
  email_verified: true,
  picture: 'https://example.org/ada.png',
};

function metadataOf(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  };
}

function idToken(key: KeyObject, issuer: string, { clientId, nonce, sub }: Code): string {
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: 'RS256', typ: 'JWT', kid: signing.kid };
  const claims = {
    iss: issuer,
    sub,
    aud: clientId,
    iat: now,
    exp: now + tokenSeconds,
    auth_time: now,
    sid: token(16),
    ...person,
    ...(nonce === null ? {} : { nonce }),
  };
  const text = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

/** By Basic or in the form (RFC 6749 §2.3.1). */
function authenticated(
  clients: readonly ProviderClient[],
  header: string | undefined,
  form: URLSearchParams,
): ProviderClient | undefined {
  const basic = Buffer.from((header ?? '').replace('Basic ', ''), 'base64').toString();
  const [id, secret] =
    header === undefined
      ? [form.get('client_id'), form.get('client_secret')]
      : basic.split(':').map(decodeURIComponent);
  return clients.find((client) => client.id === id && client.secret === secret);
}

/** Gone with the first use. */
function taken(from: Map<string, Code>, key: string | null): Code | undefined {
  if (key === null) return undefined;
  const found = from.get(key);
  from.delete(key);
  return found;
}

function token(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  request.setEncoding('latin1');
  let body = '';
  for await (const text of request as AsyncIterable<string>) body += text;
  return body;
}

function sendObject(response: ServerResponse, answer: object): void {
  sendText(response, 'error' in answer ? 400 : 200, JSON.stringify(answer));
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}
