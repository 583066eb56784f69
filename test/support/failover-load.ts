import type { SessionId } from '@sallyport/shared';
import { BrowserJar } from './browser-jar.js';
import type { ModeStack } from './mode-stack.js';

export type Kind = 'check' | 'heartbeat' | 'refresh' | 'login' | 'logout';

interface Seen {
  readonly kind: Kind;
  readonly status: number;
  /** Whose tokens were to be renewed. */
  readonly id?: SessionId;
  /** Monotonic, ms. */
  readonly sent: number;
  readonly answered: number;
}

/** What browsers, APIs and people who leave do to both services, all at once, until it is stopped. */
export interface FailoverLoad {
  readonly seen: readonly Seen[];
  /** Sessions whose logout was answered 200, the last one last, and when. */
  readonly ended: readonly { readonly id: SessionId; readonly at: number }[];
  /** Sessions that were opened meanwhile; nobody ends them. */
  readonly opened: readonly SessionId[];
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
  options: {
    readonly logoutEvery: number;
    readonly loginEvery: number;
    readonly refreshEvery: number;
    /** Sessions that want new tokens, in turn. */
    readonly renewing: readonly BrowserJar[];
  },
): FailoverLoad {
  const seen: Seen[] = [];
  const ended: { id: SessionId; at: number }[] = [];
  const opened: SessionId[] = [];
  let stopped = false;
  const note = async (
    kind: Kind,
    ask: () => Promise<{ status: number }>,
    of: { readonly id?: SessionId } = {},
  ): Promise<number> => {
    const sent = performance.now();
    const { status } = await ask();
    seen.push({ kind, status, ...of, sent, answered: performance.now() });
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
  const enter = async (): Promise<void> => {
    const browser = new BrowserJar();
    const status = await note('login', async () => ({ status: await loginStatus(stack, browser) }));
    if (status === 200) opened.push(stack.idOf(browser));
  };
  const work = [
    forever((round) => note('check', () => stack.checks.http(stack.idOf(one(round)))), 2),
    forever((round) => note('check', () => stack.checks.grpc(stack.idOf(one(round)))), 2),
    forever((round) => note('heartbeat', () => stack.heartbeat(one(round))), 5),
    forever(async (round) => {
      const browser = options.renewing[round % options.renewing.length] as BrowserJar;
      await note('refresh', () => stack.refresh(browser), { id: stack.idOf(browser) });
    }, options.refreshEvery),
    forever(enter, options.loginEvery),
    leave(),
  ];
  return {
    seen,
    ended,
    opened,
    firstSuccess: (kind, since) =>
      seen.find((entry) => entry.kind === kind && entry.status === 200 && entry.sent > since)
        ?.answered,
    stop: async () => {
      stopped = true;
      await Promise.all(work);
    },
  };
}

/** Its callback found no login: what the lost primary alone knew of. The person begins again. */
export const loginLost = -1;

/** A login as its browser sees it: what the first step that did not go on was answered, or the last. */
async function loginStatus(stack: ModeStack, browser: BrowserJar): Promise<number> {
  const { gateway } = stack;
  const start = await browser.visit(gateway.startUrl);
  if (start.status !== 302) return start.status;
  const there = String(start.headers.location);
  const url = await browser.redirectsUntil(there, `${gateway.origin}/`);
  const { status } = await browser.visit(url, { site: 'cross-site' });
  return status === 200 && !browser.cookies.get('localhost', '__Host-session') ? loginLost : status;
}
