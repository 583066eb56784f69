import {
  contractKey,
  contractLease,
  contractText,
  contradictions,
  standing,
  type RecordContract,
} from '@sallyport/shared';
import {
  redisErrorReason,
  type Logger,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import { LuaScript } from './sessions/lua-script.js';

/** Two may be missed before the lease ends, ms. */
const renewalInterval = 20_000;

const script = new LuaScript('state-contract');

/** What gateways that are running say of the sessions they write. @throws whatever Redis answers */
export async function contractsOfOthers(redis: RedisConnection): Promise<string[]> {
  const [contracts, [seconds]] = await Promise.all([redis.hgetall(contractKey), redis.time()]);
  return standing(contracts, Number(seconds) * 1000);
}

/** Why a gateway of ours must not write beside those who say this, a sentence each. */
export function disagreements(ours: RecordContract, texts: readonly string[]): string[] {
  const found = texts.flatMap((text) => contradictions(ours, text));
  return [...new Set(found)].map(
    (what) =>
      `Another session-gateway is running and disagrees with this one: ${what}. Neither would find the sessions of the other, so no logout or revocation would end them. Give both the same; for a change stop the others first: their word (${contractKey} in Redis) stands for ${contractLease / 1000} s after the last.`,
  );
}

/**
 * States the contract, unless a running gateway contradicts it. Nobody comes in between: what was not
 * looked at keeps the script from writing.
 * @returns why not, a sentence each; none where it stands now
 */
export async function stateContract(
  redis: RedisConnection,
  ours: RecordContract,
): Promise<string[]> {
  const fitting: string[] = [];
  for (;;) {
    const others = await state(redis, ours, '0', fitting);
    if (others.length === 0) return [];
    const problems = disagreements(ours, others);
    if (problems.length > 0) return problems;
    fitting.push(...others);
  }
}

async function state(
  redis: RedisConnection,
  ours: RecordContract,
  inAnyCase: '0' | '1',
  fitting: readonly string[] = [],
): Promise<string[]> {
  const args = [contractText(ours), contractLease, inAnyCase, ...fitting];
  return (await script.run(redis, [contractKey], args)) as string[];
}

/**
 * Keeps the contract stated while this gateway runs, so that extauthz and other gateways can see at
 * their start whether they fit (TRUST §6). Only a start is refused: one that runs has written sessions,
 * and says so also where another came in between while Redis had lost its word.
 */
export function statedContract(redis: RedisConnection, ours: RecordContract, logger: Logger): Unit {
  let hasStood = false;
  let isSaid = false;
  let timer: NodeJS.Timeout | undefined;

  const renew = async (): Promise<void> => {
    if (hasStood) {
      await state(redis, ours, '1');
      return;
    }
    const problems = await stateContract(redis, ours);
    hasStood = problems.length === 0;
    if (!hasStood && !isSaid) logger.error(problems.join(' '));
    isSaid = !hasStood;
  };
  // An outage has its own lines; the next time is soon.
  const onReady = (): void => void renew().catch(() => undefined);

  return {
    name: 'record contract',
    start: async () => {
      // A Redis that fails just now must not be what keeps a gateway from starting.
      const problems = await stateContract(redis, ours).catch((error: unknown) => {
        const reason = redisErrorReason(error);
        logger.warn({ reason }, 'redis: the record contract could not be stated, retrying');
        return undefined;
      });
      if (problems !== undefined && problems.length > 0) throw new Error(problems.join(' '));
      hasStood = problems !== undefined;
      timer = setInterval(onReady, renewalInterval).unref();
      redis.on('ready', onReady);
    },
    stop: () => {
      clearInterval(timer);
      redis.off('ready', onReady);
      return Promise.resolve();
    },
  };
}
