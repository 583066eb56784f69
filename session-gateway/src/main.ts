import { parseArgs } from 'node:util';
import { refreshRateLimitPrefix, systemClock } from '@sallyport/shared';
import {
  closeRedis,
  ConfigError,
  connectOrFail,
  createLogger,
  createRedis,
  Health,
  managementServer,
  Registry,
  runUntilSignal,
  type Logger,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import { createApp } from './app.js';
import { loadConfig, type Config } from './config.js';
import { createEvents } from './events.js';
import { gatewayServer } from './http-server.js';
import { createInternalApp } from './internal-app.js';
import { SessionCookies } from './http/session-cookies.js';
import { sessionRateLimit } from './http/session-rate-limit.js';
import { RedisAuthorizationRequestStore } from './oidc/authorization-request-store.js';
import { IdentityProvider } from './oidc/identity-provider.js';
import { logoutTokenLife } from './oidc/logout-token.js';
import { TokenCipher } from './oidc/token-cipher.js';
import { PermissionClient } from './permissions/permission-client.js';
import { isWritablePrimary, redisFitness } from './redis-fitness.js';
import { Sealer } from './sealing/sealer.js';
import { AcknowledgedLink } from './sessions/acknowledged-link.js';
import { DeviceRef } from './sessions/device-ref.js';
import { LogoutTokenLog } from './sessions/logout-token-log.js';
import { PermissionPushes } from './sessions/permission-pushes.js';
import { RedisSessionIndex } from './sessions/redis-session-index.js';
import { RedisSessionStore } from './sessions/redis-session-store.js';
import { revocationWorker } from './sessions/revocation-worker.js';
import { Revocations } from './sessions/revocations.js';
import { SessionLifecycle } from './sessions/session-lifecycle.js';
import { SessionRef } from './sessions/session-ref.js';
import { SessionUse } from './sessions/session-use.js';
import { PlainLink, type WriteLink } from './sessions/write-link.js';
import { upkeepParts } from './upkeep-parts.js';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'check-config': { type: 'boolean', default: false } },
  });
  const { config, warnings } = loadConfig();
  const logger = createLogger({ name: 'session-gateway', level: config.logLevel });
  for (const warning of warnings) logger.warn(warning);
  if (config.devInsecure) process.stderr.write(insecureBanner);
  if (values['check-config']) {
    process.stdout.write('The configuration is good.\n');
    return 0;
  }
  return runUntilSignal(...assemble(config, logger));
}

function assemble(config: Config, logger: Logger): Parameters<typeof runUntilSignal> {
  const registry = new Registry();
  const events = createEvents(registry, logger);
  const health = new Health();
  const redis = createRedis(
    config.redis,
    { command: config.redisTimeout, connect: 2000, autoPipelining: true },
    logger.child({ unit: 'redis' }),
  );
  health.add('redis', () => isWritablePrimary(redis));
  const sealer = new Sealer(config.sealKeys);
  const idps = config.idps.map((registration) => new IdentityProvider(registration, systemClock));
  const [defaultIdp] = idps;
  if (defaultIdp === undefined) throw new Error('no identity provider is registered');
  const idpsById = new Map(idps.map((idp) => [idp.id, idp]));

  const permissionClient = new PermissionClient({
    baseUrl: config.permissionServiceUrl,
    timeout: config.permissionTimeout,
  });
  const link = revocationLink(config, redis);
  const store = new RedisSessionStore(redis, {
    prefix: config.keyPrefix,
    link,
    onCorrupt: (reason) => events.corruptSession(reason),
  });
  const index = new RedisSessionIndex(redis, config.lifetimes.absoluteSeconds);
  const revocations = new Revocations({ redis, link, index, prefix: config.keyPrefix });
  const pushes = new PermissionPushes(redis, revocations);
  const cipher = new TokenCipher(sealer);
  const clock = systemClock;
  const sessions = new SessionLifecycle({
    store,
    index,
    cipher,
    keyForm: config.keyForm,
    lifetimes: config.lifetimes,
    limit: config.sessionLimit,
    permFreshSeconds: config.refresh.permFreshSeconds,
    noteInUse: (handle, session) => upkeep.noteInUse(handle, session),
  });
  const given = { config, registry, logger, redis, store, sessions, cipher, clock };
  const {
    upkeep,
    ended,
    units: upkeepUnits,
  } = upkeepParts({ ...given, idps: idpsById, permissionClient });
  const cookies = new SessionCookies(config.cookieName, new SessionRef(config.sealKeys));

  const app = createApp({
    publicOrigin: config.publicOrigin,
    idpOrigins: config.idps.map(({ issuer }) => new URL(issuer).origin),
    idps: idpsById,
    defaultIdp,
    requests: new RedisAuthorizationRequestStore(redis, sealer),
    permissions: permissionClient,
    sessions,
    use: new SessionUse({
      sessions,
      store,
      upkeep,
      ended,
      idleSeconds: config.lifetimes.idleSeconds,
      clock: systemClock,
      heartbeatPatience: 2000,
      refreshPatience: 10_000,
    }),
    revocations,
    pushes,
    logoutTokens: new LogoutTokenLog(redis, logoutTokenLife),
    deviceRef: new DeviceRef(config.sealKeys),
    trustedProxies: config.trustedProxies,
    refreshLimit: sessionRateLimit({
      redis,
      prefix: refreshRateLimitPrefix,
      perMinute: 30,
      sessionOf: (request) => {
        const id = cookies.idOf(request);
        return id === undefined ? undefined : sessions.handleOf(id);
      },
    }),
    cookies,
    health,
    clock: systemClock,
    events,
  });

  const server = gatewayServer(config.port, app);
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
    }),
    redisLink(redis, config.redisPatience, logger, link),
    revocationWorker({
      revocations,
      interval: 1000,
      resumed: (kind, ended) => events.revoked(kind, 'resumed', ended),
      failed: (error) => events.failed('store_unavailable', error),
    }),
    metadata(idps, logger),
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

/** Stops after the listener. A gateway without Redis could only say no, so it does not start. */
function redisLink(
  redis: RedisConnection,
  patience: number,
  logger: Logger,
  link: WriteLink,
): Unit {
  return {
    name: 'redis',
    start: async () => {
      await connectOrFail(redis, patience);
      const { problems, warnings } = await redisFitness(redis);
      for (const warning of warnings) logger.warn(warning);
      if (problems.length > 0) throw new Error(problems.join(' '));
    },
    stop: async () => {
      if (link instanceof AcknowledgedLink) await link.close();
      await closeRedis(redis);
    },
  };
}

function revocationLink(config: Config, redis: RedisConnection): WriteLink {
  const { revocationAcks: acks, redisTimeout: timeout } = config;
  if (acks === 0) return new PlainLink(redis);
  return new AcknowledgedLink({ config: config.redis, redis, acks, timeout });
}

/** Fetched early so that the first login need not wait; a provider that is down stops nothing. */
function metadata(idps: readonly IdentityProvider[], logger: Logger): Unit {
  return {
    name: 'identity provider metadata',
    start: () => {
      for (const idp of idps) {
        idp.prepare().then(
          () => logger.info({ idp: idp.id }, 'identity provider: ready'),
          (error: unknown) =>
            logger.warn(
              { idp: idp.id, reason: (error as Error).message },
              'identity provider: not usable now, will be asked again at the next login',
            ),
        );
      }
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
}

const insecureBanner = `
  *** DEV_INSECURE=1: http and sample secrets are accepted. For a trial on this machine only. ***

`;

try {
  process.exitCode = await main();
} catch (error) {
  const text = error instanceof ConfigError ? error.message : String((error as Error).stack);
  process.stderr.write(`session-gateway: ${text}\n`);
  process.exitCode = 1;
}
