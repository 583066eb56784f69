import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, type ChildProcess } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { answersOk } from '@sallyport/demo/readiness';
import type { ClientMetadata } from 'oidc-provider';
import { BrowserJar, setCookies } from './browser-jar.js';
import { idpClient, startIdp, type TestIdp } from './idp.js';
import type { IdpTls } from './idp-tls.js';
import { startPermissionService, type TestPermissionService } from './permission-service.js';
import { users, type TestRedis } from './redis.js';

const root = join(import.meta.dirname, '../..');
export const gatewayBinary = join(root, 'session-gateway/dist/main.js');

/** Two keys of a ring, as `TOKEN_SEAL_KEYS` has them. */
export const sealKeys =
  'k1:q83vASNFZ4mrze8BI0VniavN7xI0VniQrze8EjRWeJA,k0:8nGk2Jx0bTqvL4yPzXhC6sUeWdNfMaRo1iK3jB5tV7Y';

type Env = Readonly<Record<string, string>>;

/** The built gateway with a real provider, permission service and Redis around it. */
export interface GatewayStack {
  readonly origin: string;
  readonly managementOrigin: string;
  readonly idp: TestIdp;
  readonly permissions: TestPermissionService;
  readonly gateway: ChildProcess;
  readonly startUrl: string;
  log(): string;
  /** A login up to the callback's address, which has not been visited. */
  beginLogin(browser: BrowserJar, returnUrl?: string): Promise<string>;
  /** A whole login. @returns the browser */
  login(browser?: BrowserJar): Promise<BrowserJar>;
  close(): Promise<void>;
}

/** Any Redis, or how else the gateway finds one. */
export type RedisPlace =
  Pick<TestRedis, 'servers'> | { readonly writerEnv: Readonly<Record<string, string>> };

export function writerEnv(redis: RedisPlace): Readonly<Record<string, string>> {
  return 'writerEnv' in redis
    ? redis.writerEnv
    : { REDIS_URL: redis.servers[0]?.url(users.writer) ?? '' };
}

export async function startGatewayStack(
  redis: RedisPlace,
  extraEnv: Env | ((at: { readonly origin: string; readonly issuer: string }) => Env) = {},
  /** As TestIdp.intercept, in force before the gateway starts. */
  intercept?: (...of: [...Parameters<TestIdp['intercept']>, issuer: string]) => boolean,
  idpOptions: {
    readonly tokenSeconds?: number;
    readonly dpopNonces?: boolean;
    readonly emailOf?: (sub: string) => string;
    readonly claimNames?: readonly string[];
    readonly tls?: IdpTls;
    readonly clients?: (origin: string) => readonly ClientMetadata[];
    /** What else must run before the gateway starts. */
    readonly beside?: (origin: string) => Promise<void>;
  } = {},
): Promise<GatewayStack> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-gateway-'));
  const [port, managementPort] = [await freePort(), await freePort()];
  const origin = `http://localhost:${String(port)}`;
  const managementOrigin = `http://127.0.0.1:${String(managementPort)}`;
  const idp = await startIdp({
    redirectUris: ['/login/oauth2/code/idp', '/auth/callback/idp', '/auth/callback'].map(
      (path) => origin + path,
    ),
    postLogoutRedirectUris: [`${origin}/`],
    backchannelLogoutUri: `${origin}/auth/backchannel-logout`,
    ...idpOptions,
    clients: idpOptions.clients?.(origin) ?? [],
  });
  if (intercept !== undefined) {
    idp.intercept = (request, response) => intercept(request, response, idp.issuer);
  }
  await idpOptions.beside?.(origin);
  const permissions = await startPermissionService();
  const logFile = join(directory, 'gateway.log');
  const gateway = await startChild({
    name: 'session-gateway',
    command: process.execPath,
    args: [gatewayBinary],
    env: {
      GATEWAY_PORT: String(port),
      GATEWAY_MANAGEMENT_PORT: String(managementPort),
      ...gatewayEnv(origin, idp.issuer, permissions.url),
      ...writerEnv(redis),
      ...(typeof extraEnv === 'function' ? extraEnv({ origin, issuer: idp.issuer }) : extraEnv),
    },
    logFile,
    waitsFor: 'actuator/health',
    isReady: () => answersOk(`${origin}/actuator/health`),
  }).catch(async (error: unknown) => {
    await Promise.all([idp.close(), permissions.close()]);
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  const startUrl = `${origin}/oauth2/authorization/idp`;
  const stack: GatewayStack = {
    origin,
    managementOrigin,
    idp,
    permissions,
    gateway,
    startUrl,
    log: () => readFileSync(logFile, 'utf8'),
    beginLogin: async (browser, returnUrl) => {
      const query = returnUrl === undefined ? '' : `?returnUrl=${encodeURIComponent(returnUrl)}`;
      const start = await browser.visit(startUrl + query);
      return browser.redirectsUntil(String(start.headers.location), `${origin}/`);
    },
    login: async (browser = new BrowserJar()) => {
      const answer = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });
      if (setCookies(answer).length !== 3) {
        throw new Error(`the login failed: ${String(answer.status)}\n${stack.log()}`);
      }
      return browser;
    },
    close: async () => {
      await gateway.stop();
      await Promise.all([idp.close(), permissions.close()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
  return stack;
}

/** What a trial on one machine needs besides ports and Redis. */
export function gatewayEnv(
  origin: string,
  issuer: string,
  permissionServiceUrl: string,
): Record<string, string> {
  return {
    DEV_INSECURE: '1',
    PUBLIC_ORIGIN: origin,
    IDP_ISSUER_URI: issuer,
    IDP_CLIENT_ID: idpClient.id,
    IDP_CLIENT_SECRET: idpClient.secret,
    PERMISSION_SERVICE_URL: permissionServiceUrl,
    // Patient: the machine may be busy with other suites.
    IDP_TIMEOUT_MS: '15000',
    PERMISSION_SERVICE_TIMEOUT_MS: '10000',
    GATEWAY_REDIS_TIMEOUT_MS: '5000',
    TOKEN_SEAL_KEYS: sealKeys,
    GATEWAY_DRAIN_WAIT_MS: '0',
  };
}
