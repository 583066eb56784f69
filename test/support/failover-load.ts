import type { SessionId } from '@sallyport/shared';
import type { BrowserJar } from './browser-jar.js';
import type { ModeStack } from './mode-stack.js';

export type Kind = 'check' | 'heartbeat' | 'logout';

interface Seen {
  readonly kind: Kind;
  readonly status: number;
  /** Monotonic, ms. */
  readonly sent: number;
  readonly answered: number;
}

/** What browsers, APIs and people who leave do to both services, all at once, until it is stopped. */
export interface FailoverLoad {
  readonly seen: readonly Seen[];
  /** Sessions whose logout was answered 200, the last one last, and when. */
  readonly ended: readonly { readonly id: SessionId; readonly at: number }[];
  /** When a kind of request sent after `since` first succeeded. */
  firstSuccess(kind: Kind, since: number): number | undefined;
  stop(): Promise<void>;
}

/**
 * @param staying sessions that are used all the time
 * @param leaving sessions that are ended, one after the other; a 503 is asked again, as a person would
 */
export function startFailoverLoad(
  stack: ModeStack,
  staying: readonly BrowserJar[],
  leaving: readonly BrowserJar[],
  options: { readonly logoutEvery: number },
): FailoverLoad {
  const seen: Seen[] = [];
  const ended: { id: SessionId; at: number }[] = [];
  let stopped = false;
  const note = async (kind: Kind, ask: () => Promise<{ status: number }>): Promise<number> => {
    const sent = performance.now();
    const { status } = await ask();
    seen.push({ kind, status, sent, answered: performance.now() });
    return status;
  };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const forever = async (act: (round: number) => Promise<unknown>, every: number) => {
    for (let round = 0; !stopped; round += 1) {
      await act(round);
      await pause(every);
    }
  };
  const one = (round: number): BrowserJar => staying[round % staying.length] as BrowserJar;
  const leave = async (): Promise<void> => {
    for (const browser of leaving) {
      const id = stack.idOf(browser);
      for (let status = 0; status !== 200 && !stopped;) {
        status = await note('logout', () => stack.logout(browser));
        if (status === 200) ended.push({ id, at: performance.now() });
        await pause(options.logoutEvery);
      }
      if (stopped) return;
    }
  };
  const work = [
    forever((round) => note('check', () => stack.checks.http(stack.idOf(one(round)))), 2),
    forever((round) => note('check', () => stack.checks.grpc(stack.idOf(one(round)))), 2),
    forever((round) => note('heartbeat', () => stack.heartbeat(one(round))), 5),
    leave(),
  ];
  return {
    seen,
    ended,
    firstSuccess: (kind, since) =>
      seen.find((entry) => entry.kind === kind && entry.status === 200 && entry.sent > since)
        ?.answered,
    stop: async () => {
      stopped = true;
      await Promise.all(work);
    },
  };
}
