import { revokeDueKey } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Config } from '../config.js';
import { TokenCipher } from '../oidc/token-cipher.js';
import { Sealer } from '../sealing/sealer.js';
import { RedisSessionStore } from '../sessions/redis-session-store.js';
import { RefreshDue } from '../sessions/refresh-due.js';
import { failed, looked, ok, warning, type Finding } from './finding.js';

const sample = 500;
const todo = 'Look at the lines about Redis above.';

/** What lives, and whether this ring and this version can read it. */
export async function sessionFindings(
  redis: RedisConnection,
  config: Config,
): Promise<readonly Finding[]> {
  const store = new RedisSessionStore(redis, { prefix: config.keyPrefix });
  const due = new RefreshDue(redis);
  const cipher = new TokenCipher(new Sealer(config.sealKeys));
  const counts = await looked('sessions', todo, async () => {
    const [live, revocations] = await Promise.all([due.size(), redis.zcard(revokeDueKey)]);
    return ok('sessions', `${live} live, revocations under way: ${revocations}`);
  });
  const records = await looked('session records', todo, async () => {
    const seen = { read: 0, damaged: 0, sealed: 0 };
    for (const handle of (await due.all()).slice(0, sample)) {
      const session = await store.find(handle);
      if (session === undefined) {
        if (await store.exists(handle)) seen.damaged += 1;
        continue;
      }
      seen.read += 1;
      await cipher.open(session.sealedTokens, handle).catch(() => (seen.sealed += 1));
    }
    return judged(seen);
  });
  return [...counts, ...records];
}

function judged(seen: { read: number; damaged: number; sealed: number }): Finding {
  const about = 'session records';
  if (seen.sealed > 0) {
    return failed(
      about,
      `of ${seen.read} looked at, no seal key opens the tokens of ${seen.sealed}`,
      'Put the key that sealed them back into TOKEN_SEAL_KEYS, behind the first.',
    );
  }
  if (seen.damaged > 0) {
    return warning(
      about,
      `${seen.damaged} cannot be read`,
      'Does a newer version run beside this one, or does somebody else write under the key prefix?',
    );
  }
  return ok(about, `all of ${seen.read} looked at can be read and opened`);
}
