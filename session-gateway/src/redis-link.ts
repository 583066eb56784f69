import { contractOf } from '@sallyport/shared';
import {
  closeRedis,
  connectOrFail,
  type Logger,
  type RedisConfig,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import type { Config } from './config.js';
import { redisFitness, type RedisFitness } from './redis-fitness.js';
import { missingPermissions } from './redis-permissions.js';
import { AcknowledgedLink } from './sessions/acknowledged-link.js';
import { PlainLink, type WriteLink } from './sessions/write-link.js';
import { contractsOfOthers, disagreements } from './stated-contract.js';

/**
 * Stops after the listener. A gateway without Redis could only say no, and on a Redis that loses
 * sessions or refuses commands it would fail one day: it does not start, and says all that is wrong.
 */
export function redisLink(
  redis: RedisConnection,
  config: Config,
  logger: Logger,
  link: WriteLink,
): Unit {
  return {
    name: 'redis',
    start: async () => {
      await connectOrFail(redis, config.redisPatience);
      const missing = await missingPermissions(redis, {
        prefix: config.keyPrefix,
        waits: config.revocationAcks > 0,
      });
      const { problems, warnings } = await fitnessUnlessRefused(redis, missing);
      for (const warning of warnings) logger.warn(warning);
      const all = [...missing, ...problems, ...(await disagreementsIfKnown(redis, config))];
      if (all.length > 0) throw new Error(all.join(' '));
    },
    stop: async () => {
      if (link instanceof AcknowledgedLink) await link.close();
      await closeRedis(redis);
    },
  };
}

/** Said with all else; who must not start is decided when the contract is stated. */
async function disagreementsIfKnown(redis: RedisConnection, config: Config): Promise<string[]> {
  try {
    return disagreements(contractOf(config), await contractsOfOthers(redis));
  } catch {
    return [];
  }
}

/** Without INFO nothing can be judged; that it is missing has been said. */
async function fitnessUnlessRefused(
  redis: RedisConnection,
  missing: readonly string[],
): Promise<RedisFitness> {
  try {
    return await redisFitness(redis);
  } catch (error) {
    // Without what was sent: an error of Redis quotes the command with its arguments.
    if (missing.length === 0) {
      throw new Error((error as Error).message, { cause: error });
    }
    return { problems: [], warnings: [] };
  }
}

/** How revocations reach Redis, with as many replicas as the settings ask for. */
export function revocationLink(
  config: Config,
  redis: RedisConnection,
  current: () => RedisConfig,
): WriteLink {
  const { revocationAcks: acks, redisTimeout: timeout } = config;
  if (acks === 0) return new PlainLink(redis);
  return new AcknowledgedLink({ config: config.redis, current, redis, acks, timeout });
}
