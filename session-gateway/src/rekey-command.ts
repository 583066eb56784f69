import { closeRedis, connectOrFail, createRedis, type Logger } from '@sallyport/shared/runtime';
import type { Config } from './config.js';
import { TokenCipher } from './oidc/token-cipher.js';
import { Sealer } from './sealing/sealer.js';
import { RedisSessionStore } from './sessions/redis-session-store.js';
import { LeftTokens } from './sessions/left-tokens.js';
import { RefreshDue } from './sessions/refresh-due.js';
import { rekey } from './sessions/rekey.js';

/**
 * `node session-gateway/dist/main.js rekey`: seals the tokens of every live session by the ring's
 * first key, so that the old keys can be taken out. May run beside the gateway, and again.
 * @returns the exit code: 0 once nothing is left to do
 */
export async function rekeyCommand(config: Config, logger: Logger): Promise<number> {
  const redis = createRedis(config.redis, { command: config.redisTimeout, connect: 2000 }, logger);
  try {
    await connectOrFail(redis, config.redisPatience);
    const result = await rekey({
      store: new RedisSessionStore(redis, { prefix: config.keyPrefix }),
      due: new RefreshDue(redis),
      left: new LeftTokens(redis, { prefix: config.keyPrefix }),
      cipher: new TokenCipher(new Sealer(config.sealKeys)),
    });
    const [first] = config.sealKeys;
    process.stdout.write(
      `Sealed by ${first?.kid ?? 'no key'}: ${result.resealed} now, ${result.current} before. ` +
        `Not readable with this ring: ${result.unreadable}.\n`,
    );
    if (result.unreadable === 0) return 0;
    process.stderr.write(
      'session-gateway: put the key that sealed them back into TOKEN_SEAL_KEYS, behind the first, and run this again.\n',
    );
    return 1;
  } finally {
    await closeRedis(redis);
  }
}
