import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from '@sallyport/demo/free-port';
import { root } from '../machine.js';
import { writerEnv, type BenchRedis } from '../parts/redis.js';
import { pidOf, startNode } from '../parts/services.js';
import type { Workbench } from '../workbench.js';
import type { Peers } from './load/peers-process.js';
import type { ProviderClient } from './load/provider.js';
import type { LoginWork } from './load/work.js';

/** A server under load. */
export interface Served {
  readonly port: number;
  readonly pid: () => number;
}

/** As browsers see it; Envoy would be there. */
const publicOrigin = 'https://shop.example';

/** One client per application that logs people in. */
export interface Application {
  readonly port: number;
  readonly client: ProviderClient;
}

export async function gatewayApplication(): Promise<Application> {
  const port = await freePort();
  return {
    port,
    client: { ...credential(), redirectUri: `${publicOrigin}/login/oauth2/code/idp` },
  };
}

export async function oidcApplication(): Promise<Application> {
  const port = await freePort();
  return { port, client: { ...credential(), redirectUri: `http://localhost:${port}/callback` } };
}

function credential(): { id: string; secret: string } {
  return {
    id: `bench-${randomBytes(4).toString('hex')}`,
    secret: randomBytes(32).toString('base64url'),
  };
}

export interface GatewayOptions {
  readonly name: string;
  readonly application: Application;
  readonly redis: BenchRedis;
  readonly peers: Peers;
  readonly sealKeys?: string;
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A ring with one key, as `TOKEN_SEAL_KEYS`. Replicas share one. */
export function newSealKeys(): string {
  return `k1:${randomBytes(32).toString('base64url')}`;
}

/** The real binary with its defaults, logging on. `DEV_INSECURE` lets it speak to a provider over http. */
export async function startGateway(bench: Workbench, options: GatewayOptions): Promise<Served> {
  const { application, peers, redis } = options;
  const { port, client } = application;
  const child = await startNode(bench, {
    name: options.name,
    args: [...(options.nodeOptions ?? []), join(root, 'session-gateway/dist/main.js')],
    env: {
      GATEWAY_PORT: String(port),
      GATEWAY_MANAGEMENT_PORT: String(await freePort()),
      DEV_INSECURE: '1',
      // All browsers of the load have one address; the limit is not what is measured.
      GATEWAY_LOGIN_RATE_LIMIT: '0',
      PUBLIC_ORIGIN: publicOrigin,
      IDP_ISSUER_URI: peers.issuer,
      IDP_CLIENT_ID: client.id,
      IDP_CLIENT_SECRET: client.secret,
      PERMISSION_SERVICE_URL: peers.permissionServiceUrl,
      TOKEN_SEAL_KEYS: options.sealKeys ?? newSealKeys(),
      GATEWAY_DRAIN_WAIT_MS: '0',
      ...writerEnv(redis.process.port),
      ...options.env,
    },
    readyUrl: `http://127.0.0.1:${port}/actuator/health`,
    devMode: true,
  });
  return { port, pid: pidOf(child) };
}

/** The frozen stand-in for an application with express-openid-connect. */
export async function startOidcApplication(
  bench: Workbench,
  { port, client }: Application,
  peers: Peers,
): Promise<Served> {
  const child = await startNode(bench, {
    name: 'express-oidc',
    args: [join(root, 'bench/baselines/express-oidc.mjs')],
    env: {
      PORT: String(port),
      ISSUER: peers.issuer,
      BASE_URL: `http://localhost:${port}`,
      CLIENT_ID: client.id,
      CLIENT_SECRET: client.secret,
      COOKIE_SECRET: randomBytes(32).toString('base64url'),
    },
    readyUrl: `http://127.0.0.1:${port}/`,
  });
  return { port, pid: pidOf(child) };
}

/** Sixteen people at a time. */
const logins = 16;

export function gatewayLogin(port: number): LoginWork {
  return {
    kind: 'login',
    port,
    connections: logins,
    startPath: '/oauth2/authorization/idp',
    loggedIn: { status: 200, cookie: '__Host-session' },
  };
}

export function oidcLogin(port: number): LoginWork {
  return {
    kind: 'login',
    port,
    connections: logins,
    startPath: '/login',
    loggedIn: { status: 302, cookie: 'appSession' },
  };
}
