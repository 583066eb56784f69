import { randomBytes } from 'node:crypto';
import type { Clock } from '@sallyport/shared';
import type { Logger, RedisConnection, Registry, Unit } from '@sallyport/shared/runtime';
import type { AuditLog } from './audit/audit-log.js';
import type { Config } from './config.js';
import type { IdentityProvider } from './oidc/identity-provider.js';
import type { TokenCipher } from './oidc/token-cipher.js';
import type { GrantSources } from './permissions/grant-sources.js';
import { createRefreshEvents } from './refresh-events.js';
import { activityConsumer } from './sessions/activity-consumer.js';
import { ActivityStream } from './sessions/activity-stream.js';
import { EndedSessions } from './sessions/ended-sessions.js';
import { PermissionRefresh } from './sessions/permission-refresh.js';
import { ProviderPlaces } from './sessions/provider-places.js';
import type { RefreshDue } from './sessions/refresh-due.js';
import { RefreshLock } from './sessions/refresh-lock.js';
import { refreshWorker } from './sessions/refresh-worker.js';
import type { SessionLifecycle } from './sessions/session-lifecycle.js';
import { SessionRefresh } from './sessions/session-refresh.js';
import type { SessionStore } from './sessions/session-store.js';
import { SessionUpkeep } from './sessions/session-upkeep.js';

export interface UpkeepParts {
  readonly upkeep: SessionUpkeep;
  readonly ended: EndedSessions;
  /** Work without a request: to be started after Redis and stopped before it. */
  readonly units: readonly Unit[];
}

/** The part of the composition that keeps live sessions fresh; `main.ts` has the rest. */
export function upkeepParts(given: {
  readonly config: Config;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly audit: AuditLog;
  readonly redis: RedisConnection;
  readonly store: SessionStore;
  readonly sessions: SessionLifecycle;
  readonly cipher: TokenCipher;
  readonly idps: ReadonlyMap<string, IdentityProvider>;
  readonly grantSources: Pick<GrantSources, 'grantsOf'>;
  readonly clock: Clock;
  readonly due: RefreshDue;
  readonly isDraining: () => boolean;
}): UpkeepParts {
  const { config, redis, store, sessions, cipher, idps, clock, due } = given;
  const { retryAfter, permFreshSeconds } = config.refresh;
  const { idleSeconds, absoluteSeconds } = config.lifetimes;
  const events = createRefreshEvents(given.registry, given.logger, given.audit);
  const ended = new EndedSessions(redis);
  const permissions = new PermissionRefresh({
    store,
    sessions,
    client: given.grantSources,
    events,
    freshSeconds: permFreshSeconds,
  });
  const refresh = new SessionRefresh({
    store,
    sessions,
    cipher,
    idps,
    lock: new RefreshLock(redis, { retryAfter, memory: absoluteSeconds * 1000 }),
    permissions,
    ended,
    events,
    clock,
    patience: 3000,
    persistence: retryAfter,
  });
  const timing = config.refresh;
  const upkeep = new SessionUpkeep({ store, refresh, permissions, due, events, clock, timing });
  const places = new ProviderPlaces({ idps: idps.keys(), onChange: events.providerHeard });
  const leaseSeconds = leaseOf(config);
  return {
    upkeep,
    ended,
    units: [
      refreshWorker({
        ...{ due, store, upkeep, places, events, clock, idleSeconds, leaseSeconds },
        isDraining: given.isDraining,
        prolong: (handle, session) =>
          sessions.prolong(handle, session, () =>
            store.slide(handle, idleSeconds, session.lastAccessedAt),
          ),
      }),
      activityConsumer({
        stream: new ActivityStream(redis, `gateway-${randomBytes(8).toString('hex')}`),
        store,
        sessions,
        upkeep,
        events,
        clock,
        idleSeconds,
        claimAfter: config.activityClaimAfter,
      }),
    ],
  };
}

/**
 * Seconds that attending to a session may take, and more: the provider is called for its keys, twice where
 * one is new, for the tokens, UserInfo and a revocation; the permission service twice.
 */
function leaseOf({ idps, permissionTimeout }: Config): number {
  const idpTimeout = Math.max(0, ...idps.map(({ timeout }) => timeout));
  return Math.max(60, Math.ceil((5 * idpTimeout + 2 * permissionTimeout) / 1000) + 10);
}
