/** A call that failed although Redis lives: `lost` after it took effect, `unsent` before. */
export type CallFault = 'lost' | 'unsent';

/**
 * Lets one outside call at a time happen, in an order that a test chooses: between any two of them
 * everything else of every replica may come.
 */
export class Turns {
  readonly #waiting: (() => Promise<void>)[] = [];
  /** False: calls pass as they come. */
  inForce = false;
  /** What befalls the next call. */
  nextFault: CallFault | undefined;
  /** Told after every call. */
  afterCall: () => Promise<void> = () => Promise.resolve();

  pass<T>(call: () => Promise<T>): Promise<T> {
    if (!this.inForce) return call();
    return new Promise((resolve, reject) => {
      this.#waiting.push(async () => {
        const fault = this.nextFault;
        this.nextFault = undefined;
        try {
          if (fault === 'unsent') throw new Error('Command timed out');
          const result = await call();
          if (fault === 'lost') throw new Error('Command timed out');
          resolve(result);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Lets one of the waiting calls happen. @returns false if none waits */
  async step(pick: number): Promise<boolean> {
    const [call] = this.#waiting.splice(pick % Math.max(1, this.#waiting.length), 1);
    if (call === undefined) return false;
    await call();
    await this.afterCall();
    await settle();
    return true;
  }

  /** The same connection, whose commands take turns. */
  gate<T extends object>(connection: T): T {
    return new Proxy(connection, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const method = value as (...args: unknown[]) => unknown;
        if (!commands.has(String(name))) return method.bind(target);
        return (...args: unknown[]) => this.pass(() => Promise.resolve(method.apply(target, args)));
      },
    });
  }
}

/** Time for whatever the last call set going to come to its next one. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const commands = new Set(
  (
    'evalsha eval call get set del exists hget hgetall hset zadd zrem zcard zrange zscore ' +
    'expire pexpire pttl time'
  ).split(' '),
);
