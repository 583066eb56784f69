import type { Asker } from '../../src/load/asker.js';
import { grpcAsker } from '../../src/load/grpc-asker.js';
import { httpAsker } from '../../src/load/http-asker.js';
import { sessionIdAt } from '../../src/load/sessions.js';
import { monotonicMs, openJournal } from './journal.js';
import { sessionChurn } from './session-churn.js';
import type { Progress, TrafficSpec } from './traffic-spec.js';

/** The traffic's process: writer and checkers; everything they see goes into the journal. */
const spec = JSON.parse(process.argv[2] ?? '') as TrafficSpec;
const tickMs = 2;
const reportMs = 50;
const slotsPerTarget = 64;

process.on('disconnect', () => process.exit());
const journal = openJournal(spec.journal);
const churn = await sessionChurn(spec, journal);
const churning = churn.run();
const free = spec.targets.map((target) =>
  target.protocol === 'grpc'
    ? Array.from(
        { length: slotsPerTarget },
        slotsOf([grpcAsker(target, 32), grpcAsker(target, 32)]),
      )
    : Array.from({ length: slotsPerTarget }, () => httpAsker(target)),
);
const started = monotonicMs();
let [sent, answered, trouble] = [0, 0, 0];

function slotsOf(askers: readonly Asker[]): (value: unknown, index: number) => Asker {
  return (_value, index) => askers[index % askers.length] as Asker;
}

function dispatch(): void {
  const due = Math.min(spec.checks, ((monotonicMs() - started) * spec.rate) / 1000);
  while (sent < due) {
    const target = sent % spec.targets.length;
    const asker = free[target]?.shift();
    if (asker === undefined) break;
    sent += 1;
    check(asker, target);
  }
  if (sent < spec.checks) setTimeout(dispatch, tickMs);
}

function check(asker: Asker, target: number): void {
  const session = churn.pick();
  const at = monotonicMs();
  asker.send(sessionIdAt(spec.seed, session), ({ status, userId }) => {
    const user = status === 200 ? (userId() ?? null) : null;
    journal.write(['check', target, session, at, monotonicMs(), status, user]);
    answered += 1;
    if (status !== 200 && status !== 401) trouble += 1;
    free[target]?.push(asker);
    if (answered === spec.checks) void finish();
  });
}

async function finish(): Promise<void> {
  clearInterval(reporting);
  churn.stop();
  await churning;
  journal.close();
  report(true);
}

function report(over: boolean): void {
  process.send?.({ checks: answered, trouble, over } satisfies Progress);
}

const reporting = setInterval(() => report(false), reportMs);
dispatch();
