import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadReply, LoadSpec, RunOrder, RunResult } from './load-spec.js';

/** A load generator in a process of its own, kept for all rounds so that it is as warm as its peer. */
export interface LoadProcess {
  run(order: RunOrder): Promise<RunResult>;
  stop(): void;
}

export function startLoad(spec: LoadSpec): LoadProcess {
  const child = fork(fileURLToPath(new URL('worker.js', import.meta.url)), [JSON.stringify(spec)]);
  return {
    run: async (order) => {
      child.send(order);
      // It ends by itself; a hung one is noticed here.
      const signal = AbortSignal.timeout(order.milliseconds + 30_000);
      const [reply] = (await once(child, 'message', { signal })) as [LoadReply];
      if ('error' in reply) throw new Error(`load generator: ${reply.error}`);
      return reply.result;
    },
    // The end of the channel ends it.
    stop: () => {
      if (child.connected) child.disconnect();
    },
  };
}
