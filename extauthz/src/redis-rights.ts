import { redisErrorReason, type Logger, type RedisConnection } from '@sallyport/shared/runtime';

/**
 * Warns once where this service's Redis user may write sessions: it needs to read them only, and whoever
 * took it over could then forge a login (TRUST §6). By a write without effect, HDEL of what is not
 * there: the shipped user may not ask ACL, and one who may write need not be allowed to ask. Cost: an
 * entry in Redis's ACL LOG per start where the user is as it should be.
 */
export function warnOfWriteRights(redis: RedisConnection, prefix: string, logger: Logger): void {
  let isKnown = false;
  const learn = (mayWrite: boolean): void => {
    if (mayWrite && !isKnown) {
      logger.warn(
        'redis: this service may write sessions and needs only to read them. Give it the user extauthz of shared/redis/README.md',
      );
    }
    isKnown = true;
  };
  const ask = (): void => {
    if (isKnown) return;
    redis.hdel(`${prefix}write-probe`, 'user_id').then(
      () => learn(true),
      (error: unknown) => {
        const reason = redisErrorReason(error);
        // A replica judges the user before it refuses what only a primary does.
        if (reason === 'READONLY' || reason === 'NOPERM') learn(reason === 'READONLY');
      },
    );
  };
  redis.on('ready', ask);
}
