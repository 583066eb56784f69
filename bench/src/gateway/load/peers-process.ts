import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '@sallyport/demo/free-port';
import type { LoadProcess } from '../../load/load-process.js';
import type { LoadReply } from '../../load/load-spec.js';
import type { Workbench } from '../../workbench.js';
import type { ProviderClient } from './provider.js';
import type { PeersOrder, PeersSpec, Work } from './work.js';

/**
 * Everybody a gateway talks to but Redis, in one process: the browsers, the provider, the permission
 * service. It is as awake for the gateway's own calls as for its answers.
 */
export interface Peers {
  readonly issuer: string;
  readonly permissionServiceUrl: string;
  /** One kind of work, as the rounds of a comparison order it. */
  load(work: Work): LoadProcess;
}

export async function startPeers(
  bench: Workbench,
  clients: readonly ProviderClient[],
): Promise<Peers> {
  const spec: PeersSpec = {
    providerPort: await freePort(),
    permissionPort: await freePort(),
    clients,
  };
  const file = fileURLToPath(new URL('peers.js', import.meta.url));
  const child = bench.keep(fork(file, [JSON.stringify(spec)]), (one) => {
    // The end of the channel ends it.
    if (one.connected) one.disconnect();
  });
  await once(child, 'message', { signal: AbortSignal.timeout(10_000) });
  return {
    issuer: `http://127.0.0.1:${spec.providerPort}`,
    permissionServiceUrl: `http://127.0.0.1:${spec.permissionPort}/permission-service`,
    load: (work) => ({
      run: async (order) => {
        child.send({ work, order } satisfies PeersOrder);
        const signal = AbortSignal.timeout(order.milliseconds + 60_000);
        const [reply] = (await once(child, 'message', { signal })) as [LoadReply];
        if ('error' in reply) throw new Error(`load generator: ${reply.error}`);
        return reply.result;
      },
      stop: () => undefined,
    }),
  };
}
