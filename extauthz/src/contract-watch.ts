import {
  contractKey,
  contradictions,
  sharesCookie,
  standing,
  type RecordContract,
} from '@sallyport/shared';
import {
  redisErrorReason,
  type Logger,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import { answerAtStart } from './start-checks.js';

/** How often it is looked at what gateways say, ms. No check waits for it. */
const interval = 5_000;

/** Whether the gateways write sessions as we read them (TRUST §6). */
export interface ContractWatch extends Unit {
  /** False only while gateways are running and none of them fits. */
  readonly isReady: () => boolean;
}

interface Looked {
  readonly outcome: 'fits' | 'none' | 'unreadable' | 'contradicted';
  /** What to tell people; none where all is well. */
  readonly text?: string;
  /** Whether one of those that are running fits. */
  readonly hasFitting?: boolean;
}

/**
 * Refuses a start beside gateways whose sessions we could not find or understand. What is learnt only
 * later ends no process: it is an error in the log, and readiness goes where no gateway fits. For then
 * no logout and no revocation reaches the sessions that we still know.
 */
export function contractWatch(
  redis: RedisConnection,
  ours: RecordContract,
  logger: Logger,
): ContractWatch {
  let isReady = true;
  let mayRead = true;
  let last: Looked | undefined;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<Looked> => {
    try {
      const [contracts, [seconds]] = await Promise.all([redis.hgetall(contractKey), redis.time()]);
      return judged(ours, standing(contracts, Number(seconds) * 1000));
    } catch (error) {
      const reason = redisErrorReason(error);
      if (reason !== 'NOPERM' && reason !== 'WRONGTYPE') throw error;
      return { outcome: 'unreadable', text: unreadable };
    }
  };

  const learn = (looked: Looked): void => {
    isReady = looked.outcome !== 'contradicted' || looked.hasFitting === true;
    mayRead = looked.outcome !== 'unreadable';
    // Gateways that have gone away say nothing new.
    if (looked.outcome === 'none' && last !== undefined) return;
    if (looked.text !== last?.text) {
      if (looked.outcome === 'contradicted') logger.error(looked.text);
      else if (looked.text !== undefined) logger.warn(looked.text);
      else logger.info('the session-gateway writes sessions as this service reads them');
    }
    last = looked;
  };

  // Redis away: said elsewhere, and the next look is soon.
  const lookAgain = (): void => void look().then(learn, () => undefined);
  const onTime = (): void => {
    // Each refusal is an entry in Redis's ACL LOG.
    if (mayRead && redis.status === 'ready') lookAgain();
  };

  return {
    name: 'record contract',
    isReady: () => isReady,
    start: async () => {
      const first = await answerAtStart(look);
      if (first?.outcome === 'contradicted') throw new Error(first.text);
      if (first !== undefined) learn(first);
      timer = setInterval(onTime, interval);
      redis.on('ready', lookAgain);
    },
    stop: () => {
      clearInterval(timer);
      redis.off('ready', lookAgain);
      return Promise.resolve();
    },
  };
}

function judged(ours: RecordContract, texts: readonly string[]): Looked {
  if (texts.length === 0) return { outcome: 'none', text: none };
  const found = texts.map((text) => contradictions(ours, text));
  const all = [...new Set(found.flat())];
  if (all.length > 0) {
    const hasFitting = found.some((one) => one.length === 0);
    return { outcome: 'contradicted', text: contradicted(all), hasFitting };
  }
  const shares = texts.some((text) => sharesCookie(ours, text));
  return shares ? { outcome: 'fits' } : { outcome: 'fits', text: otherCookie };
}

function contradicted(all: readonly string[]): string {
  return `The session-gateway and this extauthz disagree: ${all.join('; ')}. Its sessions would not be found here, and no logout would end those that are. Give both the same settings and neighbouring versions; after a change the word of gateways that were stopped (${contractKey} in Redis) stands for a minute.`;
}
const none = `No session-gateway has said in this Redis how it writes sessions (${contractKey}). Is one running, with the same server and database? Looking again`;
const unreadable = `redis: ${contractKey} cannot be read, so nobody sees whether the session-gateway writes sessions as they are read here. Give this service the user extauthz of shared/redis/README.md`;
const otherCookie =
  'SESSION_COOKIE_NAME is another at the session-gateway: sessions of browsers are not found here. Give both the same';
