import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { createMemoryAdapter } from '@sallyport/demo/idp/memory-adapter';
import type { ClientMetadata, Configuration, JWK, Provider } from 'oidc-provider';
import { aliasesAt, mutualTls, tlsMethods, tlsServer, type IdpTls } from './idp-tls.js';

export const idpClient = {
  id: 'gateway-under-test',
  secret: 'canary-client-secret-7Qm2',
} as const;

/** A real OpenID provider in this process, on 127.0.0.1. */
export interface TestIdp {
  readonly issuer: string;
  /** Who logs in next; the interaction is finished without a form. */
  nextSubject: string;
  /** Claims beside the ordinary ones, by where they are going; of `claimNames` only. */
  extraClaims: (use: 'id_token' | 'userinfo') => Readonly<Record<string, unknown>>;
  /** Set to have the next interactions end in this error, such as `access_denied`. */
  nextError: string | undefined;
  /** Answers a request in the provider's place, if it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** The provider's own answer, for an interceptor that only wants to be first. */
  handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Requests so far whose path is this one. */
  count(path: string): number;
  /** What became of refresh tokens: rotated, refused; families revoked because of a reuse. */
  readonly refreshes: { used: number; refused: number; familiesRevoked: number };
  /** Told of every code or refresh token that came, and what was given for it, if anything. */
  onGrant: (asked: GrantAsked, given: GrantGiven | undefined) => void;
  /** Every code and token issued: what no log and no key may hold. */
  readonly issued: readonly string[];
  /** Whether it would give new tokens for one of these; if so, it has. */
  takes(refreshTokens: readonly string[]): Promise<boolean>;
  /** Signs with the provider's own key: logout tokens as a test wants them. */
  readonly privateKey: KeyObject;
  /** The key id of {@link privateKey}. */
  readonly keyId: string;
  /** Signs with a new key from now on, and publishes no other. */
  rotateKeys(): void;
  /** Holds something else of a client from now on: another secret, another key. */
  changeClient(id: string, change: Partial<ClientMetadata>): void;
  readonly backchannelErrors: readonly string[];
  close(): Promise<void>;
}

/** Parameters of a request for tokens. */
export interface GrantAsked {
  readonly code?: string;
  readonly refresh_token?: string;
}

export interface GrantGiven {
  readonly refresh_token?: string;
  readonly id_token?: string;
}

export async function startIdp(options: {
  redirectUris: readonly string[];
  postLogoutRedirectUris: readonly string[];
  backchannelLogoutUri?: string;
  /** How long access and ID tokens live; 600 if left out. */
  tokenSeconds?: number;
  /** Beside the one client that every test has. */
  clients?: readonly ClientMetadata[];
  /** An address for each subject; ada@example.org if left out. */
  emailOf?: (sub: string) => string;
  /** Demand a nonce of the provider's own in every DPoP proof (RFC 9449 §8). */
  dpopNonces?: boolean;
  /** Claims that `extraClaims` may bring. */
  claimNames?: readonly string[];
  /** https, with client certificates. */
  tls?: IdpTls;
}): Promise<TestIdp> {
  const { tls } = options;
  const server = tls === undefined ? createServer() : tlsServer(tls, tls.aliases !== true);
  const issuer = `http${tls === undefined ? '' : 's'}://127.0.0.1:${await listening(server)}`;
  const aliased = tls?.aliases === true ? tlsServer(tls, true) : undefined;
  const aliasOrigin =
    aliased === undefined ? undefined : `https://127.0.0.1:${await listening(aliased)}`;
  // Under jest it makes objects of another realm, which the provider does not take for plain ones.
  globalThis.structuredClone = <T>(value: T): T =>
    value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
  const { Provider: OidcProvider } = await import('oidc-provider');
  const settings = configuration({ ...options, aliasOrigin }, (use) => idp.extraClaims(use));
  let key = newKey(1);
  let provider: Provider;
  let handle: ReturnType<Provider['callback']>;
  // Its own words for a logout token that the gateway did not take.
  const backchannelErrors: string[] = [];
  const issued: string[] = [];
  const paths: string[] = [];
  const refreshes = { used: 0, refused: 0, familiesRevoked: 0 };
  const isRefresh = (params: object | undefined): boolean =>
    (params as { grant_type?: unknown } | undefined)?.grant_type === 'refresh_token';
  /** The same provider, with this key: what it knows lies in the adapter. */
  const signWith = (newest: IdpKey): void => {
    key = newest;
    provider = new OidcProvider(issuer, { ...settings, jwks: { keys: [newest.jwk] } });
    provider.on('backchannel.error', (_ctx, error) => backchannelErrors.push(error.message));
    provider.on('grant.success', (ctx) => {
      issued.push(...Object.values(ctx.oidc.params ?? {}).filter(isSecret));
      issued.push(...Object.values(ctx.body as Record<string, unknown>).filter(isSecret));
      if (isRefresh(ctx.oidc.params)) refreshes.used += 1;
      idp.onGrant({ ...ctx.oidc.params }, { ...(ctx.body as GrantGiven) });
    });
    provider.on('grant.error', (ctx) => {
      if (isRefresh(ctx.oidc.params)) refreshes.refused += 1;
      idp.onGrant({ ...ctx.oidc.params }, undefined);
    });
    provider.on('grant.revoked', () => (refreshes.familiesRevoked += 1));
    handle = provider.callback();
  };
  signWith(key);
  const idp: TestIdp = {
    issuer,
    nextSubject: 'auth0|ada',
    extraClaims: () => ({}),
    nextError: undefined,
    intercept: () => false,
    handle: (request, response) => void handle(request, response),
    count: (path) => paths.filter((seen) => seen === path).length,
    refreshes,
    onGrant: () => undefined,
    issued,
    takes: async (refreshTokens) => {
      const basic = Buffer.from(`${idpClient.id}:${idpClient.secret}`).toString('base64');
      for (const refresh_token of new Set(refreshTokens)) {
        const { status } = await exchange(`${issuer}/token`, {
          method: 'POST',
          headers: [
            ['Authorization', `Basic ${basic}`],
            ['Content-Type', 'application/x-www-form-urlencoded'],
          ],
          body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token }).toString(),
        });
        if (status === 200) return true;
      }
      return false;
    },
    get privateKey() {
      return key.privateKey;
    },
    get keyId() {
      return key.keyId;
    },
    rotateKeys: () => signWith(newKey(key.number + 1)),
    changeClient: (id, change) => {
      settings.clients = settings.clients?.map((one) =>
        one.client_id === id ? { ...one, ...change } : one,
      );
      signWith(key);
    },
    backchannelErrors,
    close: async () => {
      if (aliased !== undefined) await closeServer(aliased);
      await closeServer(server);
    },
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url?.split('?', 1)[0] ?? '';
    paths.push(path);
    if (idp.intercept(request, response)) return;
    if (!path.startsWith('/interaction/')) {
      void handle(request, response);
      return;
    }
    finishInteraction(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  };
  server.on('request', answer);
  aliased?.on('request', answer);

  async function finishInteraction(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (idp.nextError !== undefined) {
      await provider.interactionFinished(request, response, { error: idp.nextError });
      return;
    }
    const { params } = await provider.interactionDetails(request, response);
    const accountId = idp.nextSubject;
    const grant = new provider.Grant({ accountId, clientId: String(params['client_id']) });
    grant.addOIDCScope(String(params['scope']));
    await provider.interactionFinished(
      request,
      response,
      { login: { accountId }, consent: { grantId: await grant.save() } },
      { mergeWithLastSubmission: false },
    );
  }
  return idp;
}

interface IdpKey {
  readonly number: number;
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly jwk: JWK;
}

function newKey(number: number): IdpKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyId = `k${String(number)}`;
  const jwk = privateKey.export({ format: 'jwk' }) as JWK;
  return { number, keyId, privateKey, jwk: { ...jwk, kid: keyId, use: 'sig', alg: 'RS256' } };
}

function configuration(
  options: {
    redirectUris: readonly string[];
    postLogoutRedirectUris: readonly string[];
    backchannelLogoutUri?: string;
    tokenSeconds?: number;
    clients?: readonly ClientMetadata[];
    emailOf?: (sub: string) => string;
    dpopNonces?: boolean;
    claimNames?: readonly string[];
    tls?: IdpTls;
    aliasOrigin: string | undefined;
  },
  extraClaims: TestIdp['extraClaims'],
): Configuration {
  return {
    adapter: createMemoryAdapter(),
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'HS256'] },
    clientAuthMethods: [
      ...(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const),
      ...(options.tls === undefined ? [] : tlsMethods),
    ],
    ...(options.aliasOrigin === undefined
      ? {}
      : { discovery: { mtls_endpoint_aliases: aliasesAt(options.aliasOrigin) } }),
    clients: [
      ...(options.clients ?? []),
      {
        client_id: idpClient.id,
        client_secret: idpClient.secret,
        redirect_uris: [...options.redirectUris],
        post_logout_redirect_uris: [...options.postLogoutRedirectUris],
        grant_types: ['authorization_code', 'refresh_token'],
        ...(options.backchannelLogoutUri === undefined
          ? {}
          : {
              backchannel_logout_uri: options.backchannelLogoutUri,
              backchannel_logout_session_required: true,
            }),
      },
    ],
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: (use) => ({
        ...extraClaims(use === 'userinfo' ? use : 'id_token'),
        sub,
        name: 'Ada “<Lovelace>”',
        email: options.emailOf?.(sub) ?? 'ada@example.org',
        email_verified: true,
        picture: 'https://example.org/ada.png',
      }),
    }),
    claims: {
      openid: ['sub', ...(options.claimNames ?? [])],
      profile: ['name', 'picture'],
      email: ['email', 'email_verified'],
    },
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    pkce: { required: () => true },
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      requestObjects: { enabled: true },
      jwtUserinfo: { enabled: true },
      dPoP:
        options.dpopNonces === true
          ? { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true }
          : { enabled: true },
      backchannelLogout: { enabled: true },
      ...(options.tls === undefined ? {} : { mTLS: mutualTls }),
      rpInitiatedLogout: { enabled: true, logoutSource: autoSubmit },
    },
    // Its dispatcher guards against SSRF and would not let it call a gateway on this machine.
    fetch: (url, init) => fetch(url, { ...init, dispatcher: undefined } as RequestInit),
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = `provider error: ${out.error} ${out.error_description ?? ''}`;
    },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    ttl: {
      AuthorizationCode: 60,
      AccessToken: options.tokenSeconds ?? 600,
      IdToken: options.tokenSeconds ?? 600,
      RefreshToken: 3600,
      Interaction: 600,
      Session: 3600,
      Grant: 3600,
    },
  };
}

function autoSubmit(ctx: { type: string; body: unknown }, form: string): undefined {
  ctx.type = 'html';
  ctx.body = `<!doctype html><title>Sign out?</title>${form}`;
}

function isSecret(value: unknown): value is string {
  // Not `Bearer`, a scope or a grant type.
  return typeof value === 'string' && /^[A-Za-z0-9._~-]{40,}$/.test(value);
}

/** @returns the port */
async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return String((server.address() as AddressInfo).port);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
