import { parseArgs } from 'node:util';
import { contractOf, systemClock } from '@sallyport/shared';
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
  type RedisConfig,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import { activity } from './activity.js';
import { activityMetrics } from './activity-metrics.js';
import type { AnswerSettings } from './answer.js';
import { authorizer } from './authorizer.js';
import { readCertificate } from './certificates.js';
import { currentRedisConfig, loadConfig, type Config } from './config.js';
import { contractWatch } from './contract-watch.js';
import { createEvents } from './events.js';
import { listeners } from './listeners.js';
import { openPolicy } from './policy-start.js';
import { redisClock } from './redis-clock.js';
import { rightsWatch } from './redis-rights.js';
import { monotonic, sessionReading } from './session-reading.js';
import { startChecks } from './start-checks.js';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'check-config': { type: 'boolean', default: false } },
  });
  const { config, warnings } = loadConfig();
  const logger = createLogger({
    name: 'extauthz',
    level: config.logLevel,
    format: config.logFormat,
  });
  for (const warning of warnings) logger.warn(warning);
  const policy = openPolicy(config);
  if (values['check-config']) {
    await checkCertificate(config);
    process.stdout.write('The configuration is good.\n');
    return 0;
  }
  return runUntilSignal(...assemble(config, logger, policy));
}

/** As the start would find it. @throws ConfigError */
async function checkCertificate({ tls }: Config): Promise<void> {
  if (tls === undefined) return;
  try {
    await readCertificate(tls);
  } catch (error) {
    const names = 'EXTAUTHZ_TLS_CERT, EXTAUTHZ_TLS_KEY, EXTAUTHZ_TLS_CLIENT_CA';
    const { message } = error as Error;
    throw new ConfigError([
      `${names}: cannot be used (${message}). Name readable PEM files that fit.`,
    ]);
  }
}

type Logger = ReturnType<typeof createLogger>;

function assemble(
  config: Config,
  logger: Logger,
  withPolicy: ReturnType<typeof openPolicy>,
): Parameters<typeof runUntilSignal> {
  const registry = new Registry();
  const events = createEvents(registry, logger, { logAllows: config.logAllows });
  const health = new Health();
  let lastGood = config.redis;
  const currentRedis = (): RedisConfig => (lastGood = currentRedisConfig() ?? lastGood);
  const redis = createRedis(
    config.redis,
    { command: config.redisDeadline, connect: 1000, autoPipelining: true },
    logger.child({ unit: 'redis' }),
    currentRedis,
  );
  const clock = redisClock(redis, { monotonic, wall: systemClock });
  const sessions = sessionReading({ config, redis, registry, logger, events, currentRedis });
  const inUse = activity({
    redis,
    idleSeconds: config.idleSeconds,
    now: monotonic,
    ...activityMetrics(registry),
  });
  health.add('redis', sessions.isReady);
  const contract = contractWatch(redis, contractOf(config), logger);
  health.add('record contract', contract.isReady);
  const rights = rightsWatch(
    redis,
    { prefix: config.keyPrefix, isAcknowledged: config.mayWriteSessions },
    logger,
  );
  health.add(rights.name, rights.isReady);
  const policy = withPolicy(events.policy);
  const authorize = authorizer({
    reader: sessions.reader,
    keyForm: config.keyForm,
    policy: policy.current,
    now: clock.now,
    onUsed: inUse.used,
  });
  const units: Unit[] = [
    redisLink(redis),
    ...sessions.units,
    startChecks([contract, rights]),
    clock,
    inUse,
    policy,
    managementServer({
      ...{ port: config.healthPort, health, registry },
      grace: config.drainDeadline / 4,
    }),
    ...listeners({
      config,
      answers: answerSettings(config),
      authorize,
      events,
      health,
      logger,
      monotonic,
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

/**
 * First to start, last to stop: a check under way still needs it, and so does what proves that the
 * cache may answer. Starts without waiting for Redis; nobody who starts after it misses its `ready`.
 */
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
