export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The smallest value that at least the share `p` of all does not exceed. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

/** Latencies counted in buckets of 2 % width from 10 µs on: constant memory, cheap to add to. */
export interface LatencyCount {
  add(milliseconds: number): void;
  percentile(p: number): number;
  readonly max: number;
}

const firstMs = 0.01;
const growth = Math.log(1.02);

export function latencyCount(): LatencyCount {
  const buckets = new Uint32Array(1_000);
  let total = 0;
  let max = 0;
  return {
    add: (milliseconds) => {
      const index = Math.ceil(Math.log(Math.max(milliseconds, firstMs) / firstMs) / growth);
      const bucket = Math.min(index, buckets.length - 1);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      total += 1;
      if (milliseconds > max) max = milliseconds;
    },
    percentile: (p) => {
      let seen = 0;
      for (const [index, count] of buckets.entries()) {
        seen += count;
        if (count > 0 && seen >= p * total) return firstMs * Math.exp(index * growth);
      }
      return Number.NaN;
    },
    get max() {
      return max;
    },
  };
}
