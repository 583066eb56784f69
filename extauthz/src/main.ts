import { parseArgs } from 'node:util';
import { systemClock } from '@sallyport/shared';
import {
  beginConnecting,
  closeRedis,
  ConfigError,
  createLogger,
  createRedis,
  Health,
  managementServer,
  Registry,
  runUntilSignal,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import { admission } from './admission.js';
import { authorizer } from './authorizer.js';
import { certificates } from './certificates.js';
import { loadConfig, type Config } from './config.js';
import { createEvents } from './events.js';
import { grpcCheckServer } from './grpc/server.js';
import { httpCheckServer } from './http/server.js';
import { loopWatch } from './loop-watch.js';
import { redisClock } from './redis-clock.js';
import { redisSessionReader } from './redis-session-reader.js';
import { isWritablePrimary } from './redis-role.js';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'check-config': { type: 'boolean', default: false } },
  });
  const { config, warnings } = loadConfig();
  const logger = createLogger({ name: 'extauthz', level: config.logLevel });
  for (const warning of warnings) logger.warn(warning);
  if (values['check-config']) {
    process.stdout.write('The configuration is good.\n');
    return 0;
  }
  return runUntilSignal(...assemble(config, logger));
}

function assemble(
  config: Config,
  logger: ReturnType<typeof createLogger>,
): Parameters<typeof runUntilSignal> {
  const registry = new Registry();
  const events = createEvents(registry, logger, { logAllows: config.logAllows });
  const health = new Health();
  const redis = createRedis(
    config.redis,
    { command: config.redisDeadline, connect: 1000 },
    logger.child({ unit: 'redis' }),
  );
  const clock = redisClock(redis, systemClock);
  const reader = redisSessionReader({
    redis,
    prefix: config.keyPrefix,
    onError: events.redisError,
    onCorrupt: events.corruptRecord,
  });
  health.add('redis', () => isWritablePrimary(redis));
  const authorize = authorizer({ reader, keyForm: config.keyForm, now: clock.now });
  const { cookieName, drainDeadline } = config;
  const monotonic = () => performance.now();
  const loop = loopWatch(monotonic);
  const { admit, inFlight } = admission({
    authorize,
    maxConcurrent: config.maxConcurrentChecks,
    deadline: config.checkDeadline,
    loop,
    monotonic,
  });
  events.watchInFlight(inFlight);
  const tls =
    config.tls &&
    certificates(config.tls, { interval: config.tlsReload, onLoad: events.certificates });
  const units: Unit[] = [
    redisLink(redis),
    clock,
    loop,
    ...(tls === undefined ? [] : [tls]),
    managementServer({ port: config.healthPort, health, registry }),
    httpCheckServer({ port: config.httpPort, cookieName, admit, events, certificates: tls }),
    grpcCheckServer({
      port: config.grpcPort,
      cookieName,
      admit,
      events,
      health,
      certificates: tls,
      drainDeadline,
    }),
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

/** First to start, last to stop: a check under way still needs it. Starts without waiting for Redis. */
function redisLink(redis: RedisConnection): Unit {
  return {
    name: 'redis',
    start: () => {
      beginConnecting(redis);
      return Promise.resolve();
    },
    stop: () => closeRedis(redis),
  };
}

try {
  process.exitCode = await main();
} catch (error) {
  const text = error instanceof ConfigError ? error.message : String((error as Error).stack);
  process.stderr.write(`extauthz: ${text}\n`);
  process.exitCode = 1;
}
