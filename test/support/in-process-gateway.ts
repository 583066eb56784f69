import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { defaultSessionKeyPrefix, type Clock } from '@sallyport/shared';
import { createLogger, Health, Registry, type RedisConnection } from '@sallyport/shared/runtime';
import { createApp } from '../../session-gateway/src/app.js';
import { auditLog } from '../../session-gateway/src/audit/audit-log.js';
import type { Config } from '../../session-gateway/src/config.js';
import { createEvents } from '../../session-gateway/src/events.js';
import { parseTrustedProxies } from '../../session-gateway/src/http/device.js';
import { SessionCookies } from '../../session-gateway/src/http/session-cookies.js';
import { parseSealKeys } from '../../session-gateway/src/config-rules.js';
import { RedisAuthorizationRequestStore } from '../../session-gateway/src/oidc/authorization-request-store.js';
import type { IdentityProvider } from '../../session-gateway/src/oidc/identity-provider.js';
import { logoutTokenLife } from '../../session-gateway/src/oidc/logout-token.js';
import { TokenCipher } from '../../session-gateway/src/oidc/token-cipher.js';
import type { GrantSources } from '../../session-gateway/src/permissions/grant-sources.js';
import { Sealer } from '../../session-gateway/src/sealing/sealer.js';
import { DeviceRef } from '../../session-gateway/src/sessions/device-ref.js';
import { LogoutTokenLog } from '../../session-gateway/src/sessions/logout-token-log.js';
import { PermissionPushes } from '../../session-gateway/src/sessions/permission-pushes.js';
import { RefreshDue } from '../../session-gateway/src/sessions/refresh-due.js';
import { RedisSessionIndex } from '../../session-gateway/src/sessions/redis-session-index.js';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { Revocations } from '../../session-gateway/src/sessions/revocations.js';
import type { SessionIndex } from '../../session-gateway/src/sessions/session-index.js';
import { SessionLifecycle } from '../../session-gateway/src/sessions/session-lifecycle.js';
import { SessionRef } from '../../session-gateway/src/sessions/session-ref.js';
import type { SessionStore } from '../../session-gateway/src/sessions/session-store.js';
import { SessionUse } from '../../session-gateway/src/sessions/session-use.js';
import { PlainLink } from '../../session-gateway/src/sessions/write-link.js';
import { upkeepParts } from '../../session-gateway/src/upkeep-parts.js';
import { sealKeys } from './gateway.js';

export interface InProcessOptions {
  readonly redis: RedisConnection;
  /** What a browser sees; the port decides nothing. */
  readonly publicOrigin: string;
  readonly idps: readonly IdentityProvider[];
  readonly permissions: Pick<GrantSources, 'grantsOf'>;
  readonly clock: Clock;
  readonly lifetimes?: Config['lifetimes'];
  readonly sessionLimit?: number;
  readonly retryAfter?: number;
}

/** The gateway's own parts, put together as `main.ts` does, without its process. */
export interface InProcessGateway {
  /** Answers on a port of its own; no background work runs. */
  readonly origin: string;
  readonly store: SessionStore;
  readonly sessions: SessionLifecycle;
  readonly index: SessionIndex;
  readonly revocations: Revocations;
  readonly pushes: PermissionPushes;
  readonly upkeep: ReturnType<typeof upkeepParts>['upkeep'];
  close(): Promise<void>;
}

export async function startInProcessGateway(options: InProcessOptions): Promise<InProcessGateway> {
  const { redis, idps, permissions, clock, publicOrigin } = options;
  const registry = new Registry();
  const logger = createLogger({ name: 'gateway-under-test', level: 'silent' });
  const audit = auditLog(() => undefined, clock);
  const events = createEvents(registry, logger, audit);
  const ring = parseSealKeys(sealKeys, true).keys;
  const lifetimes = options.lifetimes ?? { idleSeconds: 1800, absoluteSeconds: 43_200 };
  const prefix = defaultSessionKeyPrefix;
  const link = new PlainLink(redis);
  const store = new RedisSessionStore(redis, { prefix, link });
  const index = new RedisSessionIndex(redis, lifetimes.absoluteSeconds);
  const revocations = new Revocations({ redis, link, index, prefix });
  const pushes = new PermissionPushes(redis, revocations);
  const sealer = new Sealer(ring);
  const cipher = new TokenCipher(sealer);
  const refresh = {
    leewaySeconds: 300,
    permFreshSeconds: 900,
    retryAfter: options.retryAfter ?? 15_000,
  };
  const sessions = new SessionLifecycle({
    ...{ store, index, cipher, lifetimes },
    keyForm: 'hashed',
    limit: options.sessionLimit ?? 10,
    permFreshSeconds: refresh.permFreshSeconds,
    noteInUse: (handle) => upkeep.noteInUse(handle),
  });
  const idpsById = new Map(idps.map((idp) => [idp.id, idp]));
  const [defaultIdp] = idps;
  if (defaultIdp === undefined) throw new Error('no provider');
  const { upkeep, ended } = upkeepParts({
    ...{ registry, logger, audit, redis, store, sessions, cipher, clock },
    due: new RefreshDue(redis),
    isDraining: () => false,
    config: {
      ...{ refresh, lifetimes, activityClaimAfter: 30_000 },
      ...{ idps: [], permissionTimeout: 2000 },
    } as Partial<Config> as Config,
    idps: idpsById,
    grantSources: permissions,
  });
  const cookies = new SessionCookies('__Host-session', new SessionRef(ring));
  const { idleSeconds } = lifetimes;
  const app = createApp({
    publicOrigin,
    idpOrigins: [],
    idps: idpsById,
    defaultIdp,
    requests: new RedisAuthorizationRequestStore(redis, sealer),
    permissions,
    sessions,
    use: new SessionUse({
      ...{ sessions, store, upkeep, ended, idleSeconds, clock },
      heartbeatPatience: 2000,
      refreshPatience: 10_000,
    }),
    revocations,
    pushes,
    logoutTokens: new LogoutTokenLog(redis, logoutTokenLife),
    deviceRef: new DeviceRef(ring),
    trustedProxies: parseTrustedProxies('127.0.0.0/8') ?? missing(),
    // No test of these parts is about how often a person may ask.
    limits: { start: [], callback: [], lateCallback: [], refresh: [], badLogoutToken: [] },
    confirmCrossSite: true,
    cookies,
    health: new Health(),
    clock,
    events,
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    ...{ store, index, sessions, revocations, pushes, upkeep },
    origin: `http://localhost:${String((server.address() as AddressInfo).port)}`,
    close: async () => {
      await upkeep.settled();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function missing(): never {
  throw new Error('unreadable');
}
