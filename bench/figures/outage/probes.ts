import { ask } from '../../src/load/asker.js';
import { grpcAsker } from '../../src/load/grpc-asker.js';
import { httpAsker } from '../../src/load/http-asker.js';
import { sessionIdAt, userIdAt } from '../../src/load/sessions.js';
import type { Service } from '../../src/parts/services.js';
import { holdsWithin, pause } from '../../src/poll.js';
import type { Workbench } from '../../src/workbench.js';
import { target } from '../traffic/traffic.js';

export interface Answer {
  readonly protocol: 'http' | 'grpc';
  readonly sent: number;
  readonly ms: number;
  /** 1 for an allow with another's name: neither 200, 401 nor 503. */
  readonly status: number;
}

/** Checks for live sessions without a break, over both transports. */
export interface Probes {
  /** Those sent from `start` to `end`, answered or waited for. */
  between(start: number, end: number): Promise<readonly Answer[]>;
  /** When both transports have allowed a check sent after `start`. @throws Error when they do not */
  allowedAfter(start: number): Promise<number>;
  readonly all: readonly Answer[];
}

const perProtocol = 8;
const gapMs = 8;
const patience = 30_000;
const wrongName = 1;

/** Ends with the bench. All the sessions `0 … sessions - 1` have to be there. */
export function startProbes(
  bench: Workbench,
  service: Service,
  { seed, sessions }: { seed: string; sessions: number },
): Probes {
  const all: Answer[] = [];
  const open = new Set<number>();
  let running = true;
  let next = 0;
  const worker = async (protocol: 'http' | 'grpc'): Promise<void> => {
    const port = protocol === 'http' ? service.httpPort : service.grpcPort;
    const asked = target(protocol, port);
    const asker = protocol === 'http' ? httpAsker(asked) : grpcAsker(asked, 1);
    while (running) {
      const session = next++ % sessions;
      const sent = performance.now();
      open.add(sent);
      const answer = await ask(asker, sessionIdAt(seed, session));
      const isOurs = answer.status !== 200 || answer.userId() === userIdAt(session);
      const status = isOurs ? answer.status : wrongName;
      open.delete(sent);
      all.push({ protocol, sent, ms: performance.now() - sent, status });
      await pause(gapMs);
    }
    asker.close();
  };
  for (let slot = 0; slot < perProtocol; slot += 1) void worker('http');
  for (let slot = 0; slot < perProtocol; slot += 1) void worker('grpc');
  bench.keep(all, () => {
    running = false;
  });
  return {
    all,
    between: async (start, end) => {
      const isOver = (): boolean => ![...open].some((sent) => sent < end);
      if (!(await holdsWithin(patience, isOver))) throw new Error('a check was never answered');
      return all.filter(({ sent }) => sent >= start && sent < end);
    },
    allowedAfter: async (start) => {
      const first = (protocol: string): Answer | undefined =>
        all.find((one) => one.sent > start && one.protocol === protocol && one.status === 200);
      const came = await holdsWithin(
        patience,
        () => first('http') !== undefined && first('grpc') !== undefined,
      );
      if (!came) throw new Error(`no allow within ${patience} ms`);
      const at = (one: Answer | undefined): number => (one === undefined ? 0 : one.sent + one.ms);
      return Math.max(at(first('http')), at(first('grpc')));
    },
  };
}
