import {
  Counter,
  Gauge,
  Histogram,
  type RedisConnection,
  type Registry,
} from '@sallyport/shared/runtime';

/** Seconds. */
const buckets = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1];

export interface RedisMetrics {
  readonly onRead: (milliseconds: number) => void;
  /** Of any of the links that report changed sessions: one, on Cluster one per primary. */
  readonly onArmed: (isArmed: boolean) => void;
}

/** Redis as this process sees it. Nothing here is touched by an answer from memory. */
export function redisMetrics(registry: Registry, redis: RedisConnection): RedisMetrics {
  const registers = [registry];
  const reads = new Histogram({
    name: 'extauthz_redis_read_seconds',
    help: 'Reads of a session from Redis, those without an answer included',
    buckets,
    registers,
  });
  new Gauge({
    name: 'extauthz_redis_connected',
    help: '1 while the connection that sessions are read on is up',
    registers,
    collect() {
      this.set(Number(redis.status === 'ready'));
    },
  });
  const armed = new Gauge({
    name: 'extauthz_cache_links_armed',
    help: 'Links that report changed sessions and are up: one, on Cluster one per primary',
    registers,
  });
  const armings = new Counter({
    name: 'extauthz_cache_link_armings_total',
    help: 'Generations of links: each begins with nothing known',
    registers,
  });
  const losses = new Counter({
    name: 'extauthz_cache_link_losses_total',
    help: 'Armed links that closed, to be made anew',
    registers,
  });
  return {
    onRead: (milliseconds) => reads.observe(milliseconds / 1000),
    onArmed: (isArmed) => {
      armed.inc(isArmed ? 1 : -1);
      (isArmed ? armings : losses).inc();
    },
  };
}
