import { contractOf, type Clock } from '@sallyport/shared';
import {
  closeRedis,
  connectOrFail,
  createRedis,
  type Logger,
  type RedisConnection,
} from '@sallyport/shared/runtime';
import type { Config } from '../config.js';
import { isWritablePrimary, redisFitness } from '../redis-fitness.js';
import { missingPermissions } from '../redis-permissions.js';
import { contractsOfOthers, disagreements } from '../stated-contract.js';
import { failed, looked, ok, warning, type Finding } from './finding.js';
import { sessionFindings } from './doctor-sessions.js';

const patience = 3000;
/** More than the network explains; ID tokens and logout tokens are given 30 s. */
const clockLimit = 5000;
const others = [
  ...['Redis role', 'Redis settings', 'Redis permissions', 'Redis clock'],
  ...['record contract', 'sessions'],
];

/** Whether Redis is there and fit for sessions, and what stands in it. */
export async function redisFindings(
  config: Config,
  logger: Logger,
  clock: Clock,
): Promise<Finding[]> {
  const redis = createRedis(config.redis, { command: config.redisTimeout, connect: 2000 }, logger);
  try {
    await connectOrFail(redis, Math.min(patience, config.redisPatience));
  } catch (error) {
    const todo = 'Is it running, and are REDIS_* (address, user, password, TLS) those of it?';
    return [failed('Redis', (error as Error).message, todo), ...others.map(unknown)];
  }
  try {
    const looks = [
      looked('Redis role', asked('ROLE'), () => role(redis)),
      looked('Redis settings', asked('INFO'), () => settings(redis)),
      looked('Redis permissions', asked('EVALSHA'), () => permissions(redis, config)),
      looked('Redis clock', asked('TIME'), () => clockDifference(redis, clock)),
      looked('record contract', asked('HGETALL'), () => contract(redis, config)),
      sessionFindings(redis, config),
    ];
    return [ok('Redis', `answers (${config.redis.mode})`), ...(await Promise.all(looks)).flat()];
  } finally {
    await closeRedis(redis);
  }
}

function unknown(about: string): Finding {
  return { about, state: 'unknown', what: 'Redis does not answer' };
}

function asked(command: string): string {
  return `May the Redis user run ${command}? shared/redis/README.md has the whole line.`;
}

async function role(redis: RedisConnection): Promise<Finding> {
  const about = 'Redis role';
  return (await isWritablePrimary(redis))
    ? ok(about, 'a primary, it takes writes')
    : failed(about, 'a replica, it refuses writes', 'Give the address of the primary.');
}

/** Version, eviction and append-only file, of every primary. */
async function settings(redis: RedisConnection): Promise<Finding[]> {
  const about = 'Redis settings';
  const { problems, warnings } = await redisFitness(redis);
  const found = [
    ...problems.map((sentence) => failed(about, ...sentences(sentence))),
    ...warnings.map((sentence) => warning(about, sentence, 'Update Redis, or ask its packager.')),
  ];
  const good = 'version, maxmemory-policy and appendonly are fit for sessions';
  return found.length > 0 ? found : [ok(about, good)];
}

async function permissions(
  redis: RedisConnection,
  { keyPrefix: prefix, revocationAcks }: Config,
): Promise<Finding[]> {
  const about = 'Redis permissions';
  const missing = await missingPermissions(redis, { prefix, waits: revocationAcks > 0 });
  return missing.length > 0
    ? missing.map((sentence) => failed(about, ...sentences(sentence)))
    : [ok(about, 'the user may run every command that is needed')];
}

async function clockDifference(redis: RedisConnection, clock: Clock): Promise<Finding> {
  const about = 'Redis clock';
  const before = clock();
  const [seconds = 0, micros = 0] = await redis.time();
  const difference = Math.round((before + clock()) / 2 - (seconds * 1000 + micros / 1000));
  const size = `${Math.abs(difference)} ms ${difference < 0 ? 'ahead of' : 'behind'} this machine`;
  return Math.abs(difference) <= clockLimit
    ? ok(about, size)
    : failed(about, size, 'Set the clocks of both machines by NTP.');
}

/** Whether the gateways that are running write sessions as these settings would. */
async function contract(redis: RedisConnection, config: Config): Promise<Finding[]> {
  const about = 'record contract';
  const texts = await contractsOfOthers(redis);
  const problems = disagreements(contractOf(config), texts);
  if (problems.length > 0) return problems.map((text) => failed(about, ...sentences(text)));
  return [
    texts.length === 0
      ? ok(about, 'no gateway is running that says how it writes sessions')
      : ok(about, 'running gateways write sessions as these settings say'),
  ];
}

/** What is wrong, and what to do: the last sentence. */
function sentences(text: string): [what: string, todo: string] {
  const at = text.lastIndexOf('. ');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 2)];
}
