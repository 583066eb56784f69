import type { OwnerKind } from '@sallyport/shared';
import type { Unit } from '@sallyport/shared/runtime';
import { newCorrelation, type Correlation } from '../correlation.js';
import type { Revocations } from './revocations.js';

export interface RevocationWorkerOptions {
  readonly revocations: Pick<Revocations, 'resume'>;
  /** Between two looks, ms. */
  readonly interval: number;
  readonly resumed: (kind: OwnerKind, ended: number, correlation: Correlation) => void;
  readonly failed: (error: unknown, correlation: Correlation) => void;
}

/** Finishes the revocations of processes that died over them; every replica has one. */
export function revocationWorker(options: RevocationWorkerOptions): Unit {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  let failing = false;

  async function look(): Promise<void> {
    const correlation = newCorrelation();
    const next = async () => (stopped ? undefined : options.revocations.resume(correlation));
    try {
      for (let done = await next(); done !== undefined; done = await next()) {
        if (done.unconfirmed === undefined || done.ended > 0) {
          options.resumed(done.kind, done.ended, correlation);
        }
        // Left as it is until a replica is back.
        if (done.unconfirmed !== undefined) throw done.unconfirmed;
      }
      failing = false;
    } catch (error) {
      // Once per outage, not once per look.
      if (!failing) options.failed(error, correlation);
      failing = true;
    }
    if (stopped) return;
    timer = setTimeout(() => {
      running = look();
    }, options.interval);
  }

  return {
    name: 'revocation worker',
    start: () => {
      running = look();
      return Promise.resolve();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      return running;
    },
  };
}
