import type { LoadReply, RunResult } from '../../load/load-spec.js';
import { httpConnection } from './connection.js';
import { Gets } from './gets.js';
import { loginDoers } from './logins.js';
import { startPermissionService } from './permission-service.js';
import { startProvider } from './provider.js';
import { dueRefreshes, postRefreshes } from './refreshes.js';
import { saturate } from './saturate.js';
import type { PeersOrder, PeersSpec } from './work.js';

/** The peers' process: told its ports once, then one piece of work after another. */
const spec = JSON.parse(process.argv[2] ?? '') as PeersSpec;
const provider = await startProvider(spec.providerPort, spec.clients);
await startPermissionService(spec.permissionPort);
const gets = new Map<string, Gets>();
/** Session ids that logins left, by the port they were made on. */
const loggedIn = new Map<number, string[]>();

process.on('message', (order: PeersOrder) => {
  run(order).then(
    (result) => process.send?.({ result } satisfies LoadReply),
    (error: unknown) => process.send?.({ error: (error as Error).message } satisfies LoadReply),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function run({ work, order }: PeersOrder): Promise<RunResult> {
  if (work.kind === 'due-refresh') {
    return dueRefreshes(work.redis, sessionsOf(work.loginsOf, order.checks), order);
  }
  const connections = Array.from({ length: work.connections }, () => httpConnection(work.port));
  try {
    switch (work.kind) {
      case 'get': {
        const key = JSON.stringify(work);
        const source = gets.get(key) ?? new Gets(work);
        gets.set(key, source);
        await source.verify(connections);
        return await saturate(source.doers(connections), order);
      }
      case 'login': {
        const ids = loggedIn.get(work.port) ?? [];
        loggedIn.set(work.port, ids);
        const keep = (id: string): void => void ids.push(id);
        return await saturate(loginDoers(work, provider, connections, keep), order);
      }
      case 'post-refresh':
      default: {
        const ids = sessionsOf(work.loginsOf, order.checks);
        return await postRefreshes(work.redis, ids, connections, order);
      }
    }
  } finally {
    for (const connection of connections) connection.close();
    const refused = Object.entries(provider.refusals);
    if (refused.length > 0) console.error(`the provider refused: ${JSON.stringify(refused)}`);
  }
}

function sessionsOf(port: number, atMost = Number.POSITIVE_INFINITY): string[] {
  const ids = loggedIn.get(port) ?? [];
  if (ids.length === 0) throw new Error(`nobody has logged in on port ${port}`);
  return ids.slice(0, atMost);
}
