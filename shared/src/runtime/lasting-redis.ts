import { Redis, type RedisOptions } from 'ioredis';

/**
 * A connection that ends only when its owner ends it.
 *
 * ioredis gives up for good, whatever its `retryStrategy` says, when an attempt fails before there is
 * a socket (5.11.1, `Redis#connect`): a `disconnect(true)`, or a sentinel's news of a failover, in the
 * moment in which the address is still being asked for is enough. Every command fails from then on,
 * until somebody restarts the process.
 */
export class LastingRedis extends Redis {
  #isWanted = false;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RedisOptions) {
    super(options);
    closeWithPeer(this);
    this.on('ready', () => (this.#attempts = 0));
    this.on('end', () => {
      if (this.#isWanted) this.#tryAgain();
    });
  }

  override connect(...of: Parameters<Redis['connect']>): Promise<void> {
    this.#isWanted = true;
    return super.connect(...of);
  }

  override disconnect(reconnect = false): void {
    if (!reconnect) this.#leave();
    super.disconnect(reconnect);
  }

  override quit(...of: Parameters<Redis['quit']>): Promise<'OK'> {
    this.#leave();
    return super.quit(...of);
  }

  #tryAgain(): void {
    const delay = this.options.retryStrategy?.((this.#attempts += 1));
    if (typeof delay !== 'number') return;
    this.#timer = setTimeout(() => {
      super.connect().catch(() => {
        // Reported by the `error` listener; the `end` that follows brings the next attempt.
      });
    }, delay);
  }

  #leave(): void {
    this.#isWanted = false;
    clearTimeout(this.#timer);
  }
}

/**
 * Closes the connection as soon as it has failed or its peer has said goodbye, so that ioredis, which
 * waits for `close`, dials again.
 *
 * Node closes it only when what was written has left: never, once TLS has failed behind the
 * handshake (an alert for a client certificate that is no longer trusted comes then, RFC 8446 §4.4.2)
 * or when the peer has stopped reading. The connection then passes for a good one that takes no command.
 */
export function closeWithPeer(redis: Redis): void {
  redis.on('connect', () => {
    const { stream } = redis;
    const close = (): void => void stream.destroy();
    stream.once('error', close).once('end', close);
  });
}
