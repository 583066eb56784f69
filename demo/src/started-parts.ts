import { lastLines, type ChildProcess, type Death } from './child-process.js';
import type { RedisProcess } from './redis-process.js';
import type { ServiceName } from './services.js';

export type PartName = ServiceName | 'envoy';

/** What runs, and the order in which it ends. */
export class StartedParts {
  readonly #parts = new Map<string, ChildProcess>();
  #redis: RedisProcess | undefined;
  #redisWatch: NodeJS.Timeout | undefined;

  add(part: ChildProcess): void {
    this.#parts.set(part.name, part);
  }

  addRedis(redis: RedisProcess, onDeath: (death: Death) => void): void {
    this.#redis = redis;
    this.#redisWatch = setInterval(() => {
      if (redis.pid !== undefined) return;
      onDeath({ name: 'redis', how: 'it is gone', lastLines: lastLines(redis.logFile) });
    }, 250).unref();
  }

  part(name: PartName): ChildProcess {
    const part = this.#parts.get(name);
    if (part === undefined) throw new Error(`${name} is not part of this stack`);
    return part;
  }

  redis(): RedisProcess {
    if (this.#redis === undefined) throw new Error('Redis has not started');
    return this.#redis;
  }

  async stopAll(): Promise<void> {
    clearInterval(this.#redisWatch);
    await this.#parts.get('envoy')?.stop();
    await Promise.all([...this.#parts.values()].map((part) => part.stop()));
    await this.#redis?.stop();
  }
}
