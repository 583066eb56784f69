import {
  redisErrorReason,
  type Logger,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import { Cluster, type Redis } from 'ioredis';
import { nodeNamed, ownerNames, ownKey } from './cluster-slots.js';
import { answerAtStart } from './start-checks.js';

/** How long until an account that may write, or of which nothing is known yet, is asked again, ms. */
const interval = 1_000;
/** What Redis answers only to a user who may: it judges the user before all of these. */
const answersToTheAllowed = new Set(['READONLY', 'NOREPLICAS', 'MISCONF', 'OOM']);

interface Rights {
  /** Undefined: the answer does not tell. */
  readonly mayWrite: boolean | undefined;
  /** What was answered, where it is none that we expect. */
  readonly said?: string;
}

/** Whether our Redis account can do no more than it should. */
export interface RightsWatch extends Unit {
  /** Not before that is known. */
  readonly isReady: () => boolean;
}

/**
 * Refuses a start with a Redis account that may write sessions: this service needs to read them only,
 * and whoever took it over could then forge a login (TRUST §6). Where Redis was away at the start it is
 * learnt later: then this replica is not ready until the account is as it should be. Once it is, it is
 * asked no more: a mistake in an ACL must not be able to take every edge away at once.
 */
export function rightsWatch(
  redis: RedisConnection,
  { prefix, isAcknowledged }: { prefix: string; isAcknowledged: boolean },
  logger: Logger,
): RightsWatch {
  let last: boolean | undefined;
  let lastSaid: string | undefined;
  let timer: NodeJS.Timeout | undefined;

  const learn = ({ mayWrite, said }: Rights): void => {
    if (said !== undefined && said !== lastSaid) {
      logger.warn(unexpected(said, mayWrite, isAcknowledged));
    }
    lastSaid = said;
    if (mayWrite && last !== true) {
      if (isAcknowledged) logger.warn(acknowledged);
      else logger.error(refusal);
    }
    if (last === true && mayWrite === false)
      logger.info('redis: this account may not write sessions any more');
    last = mayWrite;
  };
  const ask = (): void => {
    if (redis.status !== 'ready' || last === false) return;
    if (isAcknowledged && (last === true || lastSaid !== undefined)) return;
    writeRights(redis, prefix).then(learn, () => undefined);
  };

  return {
    name: 'redis account',
    isReady: () => last === false || isAcknowledged,
    start: async () => {
      const rights = await answerAtStart(() => writeRights(redis, prefix));
      if (rights?.mayWrite === true && !isAcknowledged) throw new Error(refusal);
      if (rights !== undefined) learn(rights);
      timer = setInterval(ask, interval);
      redis.on('ready', ask);
    },
    stop: () => {
      clearInterval(timer);
      redis.off('ready', ask);
      return Promise.resolve();
    },
  };
}

/** In a Cluster of every primary: each has users of its own. The worst of what they say. */
async function writeRights(redis: RedisConnection, prefix: string): Promise<Rights> {
  const asked =
    redis instanceof Cluster
      ? primariesOf(redis, prefix)
      : [{ server: redis, key: `${prefix}write-probe` }];
  const answers = await Promise.all(asked.map(({ server, key }) => rightsOn(server, key)));
  const [worst] = answers.sort((one, other) => badness(other) - badness(one));
  if (worst === undefined) throw new Error('no primary is known yet');
  return worst;
}

/** Asked directly: another one judges its own user before it says MOVED. @throws Error while one is unknown */
function primariesOf(cluster: Cluster, prefix: string): { server: Redis; key: string }[] {
  return [...ownerNames(cluster)].map((name) => {
    const server = nodeNamed(cluster, name);
    if (server === undefined) throw new Error(`${name} is not connected yet`);
    return { server, key: ownKey(cluster, prefix, name)() };
  });
}

/** Who may write is worst; of those who may not, one whose answer is to be told of comes first. */
function badness({ mayWrite, said }: Rights): number {
  if (mayWrite === true) return 3;
  if (mayWrite === undefined) return 2;
  return said === undefined ? 0 : 1;
}

/**
 * By an HSET with a field that has no value: Redis judges the user first and then, without effect, the
 * words. Not by ACL DRYRUN, which the shipped user may not ask. HSET, because it is what forges a
 * session, and what the gateway's own account has: HDEL, say, that one has not.
 * Cost: an entry in the ACL LOG of each per start where the account is as it should be.
 */
async function rightsOn(redis: Pick<Redis, 'hset'>, key: string): Promise<Rights> {
  try {
    await redis.hset(key, 'user_id', '', 'roles');
    return { mayWrite: true };
  } catch (error) {
    const reason = redisErrorReason(error);
    if (reason === 'NOPERM') return { mayWrite: false };
    if (answersToTheAllowed.has(reason)) return { mayWrite: true };
    if (reason === 'ERR') return rightsByText((error as Error).message);
    throw error;
  }
}

/** ERR is also what a proxy says, and a Redis where HSET has another name: neither judged the user. */
function rightsByText(said: string): Rights {
  if (/wrong number of arguments/i.test(said)) return { mayWrite: true };
  return { mayWrite: /unknown command/i.test(said) ? false : undefined, said };
}

const remedy = 'Give it the user extauthz of shared/redis/README.md';
const refusal = `REDIS_USERNAME: this account may write sessions. extauthz needs only to read them, and whoever took it over could then log in as anybody. ${remedy}, or set EXTAUTHZ_REDIS_WRITE_RIGHTS=acknowledged where Redis knows no users`;
const acknowledged = `redis: this service may write sessions (EXTAUTHZ_REDIS_WRITE_RIGHTS=acknowledged) and needs only to read them. ${remedy}`;

function unexpected(said: string, mayWrite: boolean | undefined, isAcknowledged: boolean): string {
  const answer = `redis: asked by an HSET whether this account may write sessions, it answered ${JSON.stringify(said)}.`;
  if (mayWrite === false) {
    return `${answer} Without HSET it is taken for one that may not; whether another command lets it write is not known`;
  }
  return isAcknowledged
    ? `${answer} That tells nothing, and with EXTAUTHZ_REDIS_WRITE_RIGHTS=acknowledged nobody asks again`
    : `${answer} That tells nothing, and without EXTAUTHZ_REDIS_WRITE_RIGHTS=acknowledged this replica is not ready until it is known. Connect extauthz to Redis itself, or set that`;
}
