const checkEvery = 250;

/**
 * The first request to end: a signal, or the end of the npm that started this process (npm and its
 * shell may die without passing a signal on, and nobody would be left to stop the stack).
 * A second signal ends this process at once; its children's guards then end them.
 */
export function interruption(): { signal: AbortSignal; settled: Promise<string> } {
  const abort = new AbortController();
  let settle: (reason: string) => void;
  const settled = new Promise<string>((resolve) => (settle = resolve));
  const interrupt = (reason: string): void => {
    if (abort.signal.aborted) return;
    abort.abort(new Error(reason));
    settle(reason);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (abort.signal.aborted && signal === 'SIGINT') process.exit(130);
      interrupt(signal);
    });
  }
  if (process.env['npm_lifecycle_event'] !== undefined) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) interrupt('npm is gone');
    }, checkEvery).unref();
  }
  return { signal: abort.signal, settled };
}
