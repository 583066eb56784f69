import { Counter, Gauge, type Registry } from '@sallyport/shared/runtime';
import type { CacheEvents } from './cached-session-reader.js';

/** Counted in plain numbers, because a hit is the hot path; handed over at scrape time. */
export function cacheMetrics(
  registry: Registry,
  state: {
    size: () => number;
    bytes: () => number;
    negatives: () => number;
    isTrusted: () => boolean;
  },
): CacheEvents {
  const counts = { hit: 0, miss: 0, crossed: 0, flush: 0 };
  const help = {
    hit: 'Lookups answered from memory',
    miss: 'Lookups that went to Redis while the cache was trusted',
    crossed: 'Reads that an invalidation overtook, sent again',
    flush: 'Times that everything known was dropped',
  };
  for (const event of ['hit', 'miss', 'crossed', 'flush'] as const) {
    new Counter({
      name: `extauthz_cache_${event}_total`,
      help: help[event],
      registers: [registry],
      collect() {
        this.reset();
        this.inc(counts[event]);
      },
    });
  }
  const gauge = (name: string, text: string, value: () => number): void => {
    new Gauge({
      name,
      help: text,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  };
  gauge('extauthz_cache_sessions', 'Sessions in memory', state.size);
  gauge('extauthz_cache_bytes', 'What they take at most, estimated', state.bytes);
  gauge('extauthz_cache_negatives', 'Unknown ids in memory', state.negatives);
  gauge('extauthz_cache_trusted', '1 while the cache may answer', () => Number(state.isTrusted()));
  return {
    hit: () => (counts.hit += 1),
    miss: () => (counts.miss += 1),
    crossed: () => (counts.crossed += 1),
    flush: () => (counts.flush += 1),
  };
}
