import { ask, type Asker } from './asker.js';
import { grpcAsker } from './grpc-asker.js';
import { httpAsker } from './http-asker.js';
import type { LoadReply, LoadSpec, RunOrder } from './load-spec.js';
import { runLoad } from './run-load.js';
import { sessionIdAt, userIdAt } from './sessions.js';

/** A load generator's process: told its stream once, then one run after another. */
const spec = JSON.parse(process.argv[2] ?? '') as LoadSpec;
let runs = 0;

process.on('message', (order: RunOrder) => {
  run(order).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ error: (error as Error).message }),
  );
});
process.on('disconnect', () => process.exit());

async function run(order: RunOrder): Promise<LoadReply> {
  const askers = openAskers();
  try {
    await verify(askers);
    runs += 1;
    return { result: await runLoad(askers, spec, order, `${spec.seed}/${runs}`) };
  } finally {
    for (const asker of askers) asker.close();
  }
}

function openAskers(): Asker[] {
  const { target, connections, streams } = spec;
  return Array.from({ length: connections }, () =>
    target.protocol === 'http' ? httpAsker(target) : grpcAsker(target, streams),
  );
}

/** One real answer of every connection, read in full: an error must never pass for a success. */
async function verify(askers: readonly Asker[]): Promise<void> {
  for (const [index, asker] of askers.entries()) {
    const session = index % spec.sessions;
    const answer = await ask(asker, sessionIdAt(spec.seed, session));
    const expected = spec.namesUser ? userIdAt(session) : undefined;
    if (answer.status === 200 && (expected === undefined || answer.userId() === expected)) continue;
    throw new Error(
      `port ${spec.target.port}: session ${session} was answered ${answer.status} for ` +
        `${answer.userId() ?? 'nobody'}, not 200 for ${expected ?? 'anybody'}`,
    );
  }
}
