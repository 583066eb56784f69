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
import { activity } from './activity.js';
import { activityMetrics } from './activity-metrics.js';
import type { AnswerSettings } from './answer.js';
import { authorizer } from './authorizer.js';
import { loadConfig, type Config } from './config.js';
import { createEvents, type Events } from './events.js';
import { forwardedHeadersWatch } from './forwarded-headers.js';
import { grpcCheckServer } from './grpc/server.js';
import { httpCheckServer } from './http/server.js';
import { openPolicy } from './policy-start.js';
import { redisClock } from './redis-clock.js';
import { isWritablePrimary } from './redis-role.js';
import { monotonic, sessionReading } from './session-reading.js';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'check-config': { type: 'boolean', default: false } },
  });
  const { config, warnings } = loadConfig();
  const logger = createLogger({ name: 'extauthz', level: config.logLevel });
  for (const warning of warnings) logger.warn(warning);
  const policy = openPolicy(config);
  if (values['check-config']) {
    process.stdout.write('The configuration is good.\n');
    return 0;
  }
  return runUntilSignal(...assemble(config, logger, policy));
}

type Logger = ReturnType<typeof createLogger>;

function assemble(
  config: Config,
  logger: Logger,
  withPolicy: ReturnType<typeof openPolicy>,
): Parameters<typeof runUntilSignal> {
  const registry = new Registry();
  const events = createEvents(registry, logger);
  const health = new Health();
  const redis = createRedis(
    config.redis,
    { command: config.redisDeadline, connect: 1000 },
    logger.child({ unit: 'redis' }),
  );
  const clock = redisClock(redis, systemClock);
  const sessions = sessionReading({ config, redis, registry, logger, events });
  const inUse = activity({
    redis,
    idleSeconds: config.idleSeconds,
    now: monotonic,
    ...activityMetrics(registry),
  });
  health.add('redis', () => isWritablePrimary(redis));
  const policy = withPolicy(events.policy);
  const authorize = authorizer({
    reader: sessions.reader,
    keyForm: config.keyForm,
    policy: policy.current,
    now: clock.now,
    onUsed: inUse.used,
  });
  const answers = answerSettings(config);
  const watchHeaders = forwardedHeadersWatch(() => {
    logger.warn(
      'no check over HTTP has brought a cookie, authorization, origin or sec-fetch header: does Envoy’s allowed_headers list them?',
    );
  });
  const httpEvents: Events = {
    ...events,
    decided: (transport, facts, decision, seconds) => {
      watchHeaders(facts);
      events.decided(transport, facts, decision, seconds);
    },
  };
  const units: Unit[] = [
    redisLink(redis),
    clock,
    ...sessions.units,
    inUse,
    policy,
    managementServer({ port: config.healthPort, health, registry }),
    httpCheckServer({ port: config.httpPort, answers, authorize, events: httpEvents }),
    grpcCheckServer({ port: config.grpcPort, answers, authorize, events, health }),
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

function answerSettings({
  cookieName,
  origins,
  loginUrl,
  sendEmail,
  sendKind,
}: Config): AnswerSettings {
  const publicOrigin = origins.own;
  const login =
    loginUrl === undefined || publicOrigin === undefined ? undefined : { loginUrl, publicOrigin };
  return { cookieName, login, sendEmail, sendKind };
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
