import { activityStreamKey } from '@sallyport/shared';
import type { Redis } from 'ioredis';

/** As the activity's: the proof must not let the stream grow either. */
const streamLength = 100_000;

/**
 * A write that a demoted (READONLY) or isolated primary (NOREPLICAS) refuses. The gateway reads only
 * the field `h`; where there is no stream nothing is written, and it is refused all the same.
 */
export function proveByWriting(redis: Redis): Promise<unknown> {
  return redis.xadd(activityStreamKey, 'NOMKSTREAM', 'MAXLEN', '~', streamLength, '*', 'p', '1');
}
