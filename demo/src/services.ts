import { fileURLToPath } from 'node:url';
import type { Ports } from './ports.js';
import type { RunSecrets } from './secrets.js';

/** A Node process of the stack: what it runs, what it is told, how it says that it is ready. */
export interface Service {
  readonly name: ServiceName;
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  readonly readyUrl: string;
}

export type ServiceName =
  'permission-service' | 'idp' | 'api' | 'app' | 'session-gateway' | 'extauthz';

export interface ServiceContext {
  readonly ports: Ports;
  readonly secrets: RunSecrets;
  readonly logLevel: string;
  /** Tests only, see the IdP's configuration. */
  readonly recordFile?: string;
  /** Further variables of single services. */
  readonly extraEnv?: Partial<Record<ServiceName, Readonly<Record<string, string>>>>;
}

const clientId = 'sallyport';

export function publicOrigin(ports: Ports): string {
  return `http://localhost:${ports.ingress}`;
}

/** 127.0.0.1, not localhost: for a browser another site than the app's, as in production. */
export function idpOrigin(ports: Ports): string {
  return `http://127.0.0.1:${ports.idp}`;
}

export function services(context: ServiceContext): Readonly<Record<ServiceName, Service>> {
  const { ports } = context;
  const ours = (name: ServiceName, port: number, env: Record<string, string>): Service => ({
    name,
    script: `demo/dist/${name}/main.js`,
    env: { ...env, ...context.extraEnv?.[name] },
    readyUrl: `http://127.0.0.1:${port}/healthz`,
  });
  return {
    'permission-service': ours('permission-service', ports.permissionService, {
      DEMO_PERMISSION_SERVICE_PORT: String(ports.permissionService),
    }),
    idp: ours('idp', ports.idp, idpEnv(context)),
    api: ours('api', ports.api, { DEMO_API_PORT: String(ports.api) }),
    app: ours('app', ports.app, { DEMO_APP_PORT: String(ports.app) }),
    'session-gateway': {
      name: 'session-gateway',
      script: 'session-gateway/dist/main.js',
      env: { ...gatewayEnv(context), ...context.extraEnv?.['session-gateway'] },
      readyUrl: `http://127.0.0.1:${ports.gatewayManagement}/readyz`,
    },
    extauthz: {
      name: 'extauthz',
      script: 'extauthz/dist/main.js',
      env: { ...extauthzEnv(context), ...context.extraEnv?.extauthz },
      readyUrl: `http://127.0.0.1:${ports.extauthzHealth}/readyz`,
    },
  };
}

function idpEnv({ ports, secrets, recordFile }: ServiceContext): Record<string, string> {
  const origin = publicOrigin(ports);
  const callbacks = ['/login/oauth2/code/idp', '/auth/callback', '/auth/callback/idp'];
  return {
    DEMO_IDP_PORT: String(ports.idp),
    DEMO_IDP_CLIENT_ID: clientId,
    DEMO_IDP_CLIENT_SECRET: secrets.clientSecret,
    DEMO_IDP_REDIRECT_URIS: callbacks.map((path) => origin + path).join(' '),
    // By way of Envoy, as in production; 127.0.0.1 because localhost may also be ::1.
    DEMO_IDP_BACKCHANNEL_LOGOUT_URI: `http://127.0.0.1:${ports.ingress}/auth/backchannel-logout`,
    DEMO_IDP_POST_LOGOUT_REDIRECT_URIS: [`${origin}/peace`, `${origin}/`, origin].join(' '),
    ...(recordFile === undefined ? {} : { DEMO_IDP_RECORD_FILE: recordFile }),
  };
}

function gatewayEnv({ ports, secrets, logLevel }: ServiceContext): Record<string, string> {
  const origin = publicOrigin(ports);
  return {
    ...redisEnv(ports, 'session-gateway', secrets.redis.sessionGateway),
    GATEWAY_PORT: String(ports.gateway),
    GATEWAY_MANAGEMENT_PORT: String(ports.gatewayManagement),
    GATEWAY_DRAIN_WAIT_MS: '0',
    PUBLIC_ORIGIN: origin,
    IDP_ISSUER_URI: idpOrigin(ports),
    IDP_CLIENT_ID: clientId,
    IDP_CLIENT_SECRET: secrets.clientSecret,
    IDP_LOGOUT_RETURN_TO: `${origin}/peace`,
    PERMISSION_SERVICE_URL: `http://127.0.0.1:${ports.permissionService}`,
    TOKEN_SEAL_KEYS: `demo:${secrets.sealKey}`,
    DEV_INSECURE: '1',
    LOG_LEVEL: logLevel,
  };
}

function extauthzEnv({ ports, secrets, logLevel }: ServiceContext): Record<string, string> {
  return {
    ...redisEnv(ports, 'extauthz', secrets.redis.extauthz),
    EXTAUTHZ_HTTP_PORT: String(ports.extauthzHttp),
    EXTAUTHZ_GRPC_PORT: String(ports.extauthzGrpc),
    EXTAUTHZ_HEALTH_PORT: String(ports.extauthzHealth),
    EXTAUTHZ_DRAIN_WAIT_MS: '0',
    PUBLIC_ORIGIN: publicOrigin(ports),
    LOG_LEVEL: logLevel,
  };
}

function redisEnv(ports: Ports, username: string, password: string): Record<string, string> {
  return {
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(ports.redis),
    REDIS_USERNAME: username,
    REDIS_PASSWORD: password,
  };
}

/** The repository: what the scripts' paths start from. */
export const repository = fileURLToPath(new URL('../../', import.meta.url));
