import { contractOf, systemClock } from '@sallyport/shared';
import {
  createRedis,
  Health,
  managementServer,
  type Registry,
  type runUntilSignal,
  type LineFile,
  type Logger,
  type RedisConfig,
  type Unit,
} from '@sallyport/shared/runtime';
import { createApp } from './app.js';
import { auditLog } from './audit/audit-log.js';
import { callMetrics } from './call-metrics.js';
import { currentRedisConfig, type Config } from './config.js';
import { endOfSession, judgeLeft, tokensToRevoke } from './end-of-session.js';
import { createEvents } from './events.js';
import { gatewayServer } from './http-server.js';
import { watchedIdpCredentials } from './idp-credentials.js';
import { idpParts } from './idp-parts.js';
import { createInternalApp } from './internal-app.js';
import { limits } from './http/limits.js';
import { SessionCookies } from './http/session-cookies.js';
import { RedisAuthorizationRequestStore } from './oidc/authorization-request-store.js';
import { createIdpEvents } from './oidc/idp-events.js';
import { logoutTokenLife } from './oidc/logout-token.js';
import { TokenCipher } from './oidc/token-cipher.js';
import { tokenRevocations } from './oidc/token-revocations.js';
import { grantSources } from './permission-parts.js';
import { isWritablePrimary } from './redis-fitness.js';
import { redisLink, revocationLink } from './redis-link.js';
import { countRedisErrors, measureLiveSessions } from './redis-metrics.js';
import { misnamedIdp } from './routes/backchannel-logout.js';
import { refreshedSession } from './routes/refresh.js';
import { Sealer } from './sealing/sealer.js';
import { DeviceRef } from './sessions/device-ref.js';
import { LeftTokens } from './sessions/left-tokens.js';
import { LogoutTokenLog } from './sessions/logout-token-log.js';
import { PermissionPushes } from './sessions/permission-pushes.js';
import { RedisSessionIndex } from './sessions/redis-session-index.js';
import { RedisSessionStore } from './sessions/redis-session-store.js';
import { RefreshDue } from './sessions/refresh-due.js';
import { revocationWorker } from './sessions/revocation-worker.js';
import { Revocations } from './sessions/revocations.js';
import { SessionLifecycle } from './sessions/session-lifecycle.js';
import { SessionRef } from './sessions/session-ref.js';
import { SessionUse } from './sessions/session-use.js';
import { watchedSealKeys } from './running-parts.js';
import { statedContract } from './stated-contract.js';
import { upkeepParts } from './upkeep-parts.js';

/** Every part of the gateway, wired; the units in the order in which they start. */
export function assemble(
  config: Config,
  logger: Logger,
  registry: Registry,
  auditFile: LineFile,
): Parameters<typeof runUntilSignal> {
  const audit = auditLog((line) => auditFile.write(line), systemClock);
  const events = createEvents(registry, logger, audit);
  const health = new Health();
  let lastGood = config.redis;
  const currentRedis = (): RedisConfig => (lastGood = currentRedisConfig() ?? lastGood);
  const redis = createRedis(
    config.redis,
    { command: config.redisTimeout, connect: 2000, autoPipelining: true },
    logger.child({ unit: 'redis' }),
    currentRedis,
  );
  countRedisErrors(redis, registry);
  health.add('redis', () => isWritablePrimary(redis));
  const keys = watchedSealKeys(config, registry, logger);
  const sealer = new Sealer(keys.current);
  const calls = callMetrics(registry);
  const {
    idps,
    defaultIdp,
    unit: idpDocuments,
  } = idpParts({
    config,
    events: createIdpEvents(registry, logger),
    observe: calls.idp,
    clock: systemClock,
  });

  const grants = grantSources(config, calls.permissionService);
  const link = revocationLink(config, redis, currentRedis);
  const left = new LeftTokens(redis, {
    prefix: config.keyPrefix,
    onDropped: (count) => spent.dropped(count),
  });
  const store = new RedisSessionStore(redis, {
    prefix: config.keyPrefix,
    link,
    left,
    onCorrupt: (reason) => events.corruptSession(reason),
  });
  const index = new RedisSessionIndex(redis, config.lifetimes.absoluteSeconds);
  const cipher = new TokenCipher(sealer);
  const judge = judgeLeft({ idps: config.idps, index, store });
  const spent = tokenRevocations({ idps, cipher, registry, logger, left, judge });
  const due = new RefreshDue(redis);
  measureLiveSessions(() => due.size(), registry);
  const ended = endOfSession({ spent, left, idps: config.idps, due, events });
  const revocations = new Revocations({
    redis,
    link,
    index,
    prefix: config.keyPrefix,
    left,
    tokensToRevoke: tokensToRevoke(config.idps, 'revoked'),
    ended: ended.byRevocation,
  });
  const pushes = new PermissionPushes(redis, revocations);
  const clock = systemClock;
  const sessions = new SessionLifecycle({
    store,
    index,
    cipher,
    keyForm: config.keyForm,
    lifetimes: config.lifetimes,
    limit: config.sessionLimit,
    shareEmail: config.shareEmail,
    permFreshSeconds: config.refresh.permFreshSeconds,
    noteInUse: (handle, session) => upkeep.noteInUse(handle, session),
    tokensToRevoke: (how, replacedBy) => tokensToRevoke(config.idps, how, replacedBy),
    ended: ended.byLifecycle,
  });
  const given = { config, registry, logger, audit, redis, store, sessions, cipher, clock, due };
  const {
    upkeep,
    ended: endedSessions,
    units: upkeepUnits,
  } = upkeepParts({ ...given, idps, grantSources: grants, isDraining: () => health.draining });
  const cookies = new SessionCookies(config.cookieName, new SessionRef(keys.current));

  const requests = new RedisAuthorizationRequestStore(redis, sealer);
  const app = createApp({
    publicOrigin: config.publicOrigin,
    idpOrigins: config.idps.map(({ issuer }) => new URL(issuer).origin),
    idps,
    defaultIdp,
    requests,
    permissions: grants,
    sessions,
    use: new SessionUse({
      sessions,
      store,
      upkeep,
      ended: endedSessions,
      idleSeconds: config.lifetimes.idleSeconds,
      clock: systemClock,
      heartbeatPatience: 2000,
      refreshPatience: 10_000,
    }),
    revocations,
    pushes,
    logoutTokens: new LogoutTokenLog(redis, logoutTokenLife),
    deviceRef: new DeviceRef(keys.current),
    trustedProxies: config.trustedProxies,
    confirmCrossSite: config.confirmCrossSiteLogin,
    limits: limits({
      redis,
      trustedProxies: config.trustedProxies,
      loginsPerAddress: config.loginRateLimit,
      onUnlistedProxy: (prefix) =>
        logger.warn(
          { prefix },
          'a peer outside GATEWAY_TRUSTED_PROXIES sends X-Forwarded-For: its requests are not limited by address. List the proxy',
        ),
      refreshedSession,
      isPending: (state) => requests.isPending(state),
      misnamedIdp,
    }),
    cookies,
    health,
    clock: systemClock,
    events,
  });

  const server = gatewayServer(
    config.port,
    app,
    () => health.draining,
    // The workers stop after it: what they have sent must come back within the deadline too.
    config.drainDeadline / 2,
  );
  health.add('gateway server', () => server.listening);
  // Alive, and not ready, while it waits for Redis.
  const units: Unit[] = [
    managementServer({
      port: config.managementPort,
      health,
      registry,
      internal: createInternalApp({
        callers: config.internalCallers,
        revocations,
        pushes,
        sessions,
        events,
      }),
      grace: config.drainDeadline / 4,
    }),
    redisLink(redis, config, logger, link),
    statedContract(redis, contractOf(config), logger),
    keys,
    spent,
    revocationWorker({
      revocations,
      interval: 1000,
      resumed: (kind, ended, correlation) =>
        events.revoked({ kind, cause: 'resumed', ended }, correlation),
      failed: (error, correlation) => events.failed('store_unavailable', error, correlation),
    }),
    watchedIdpCredentials({ config, idps, registry, logger }),
    idpDocuments,
    ...upkeepUnits,
    server,
  ];
  return [
    units,
    {
      logger,
      beginDrain: () => health.drain(),
      drainWait: config.drainWait,
      deadline: config.drainDeadline,
    },
  ];
}
