import type { Logger } from './logger.js';

/** Something that is started once and stopped once. */
export interface Unit {
  readonly name: string;
  start(): Promise<void>;
  /** Finishes what is under way. Must settle even if `start` never ran. */
  stop(): Promise<void>;
}

export interface LifecycleOptions {
  readonly logger: Logger;
  /** Called first on a signal: turn readiness off. */
  readonly beginDrain: () => void;
  /** How long load balancers are given to notice before the first unit stops, ms. */
  readonly drainWait: number;
  /** When the process ends whatever has not stopped by then, ms. */
  readonly deadline: number;
  /** `process.exit` if left out. */
  readonly exit?: (code: number) => void;
}

/**
 * Starts the units in order, waits for SIGTERM or SIGINT, stops them in reverse order.
 * Resolves with the process's exit code. Where the deadline cut that short it ends the process: what
 * is left behind listens, or has connections and timers, and would keep it alive until SIGKILL.
 */
export async function runUntilSignal(
  units: readonly Unit[],
  options: LifecycleOptions,
): Promise<number> {
  const signal = nextSignal();
  const started: Unit[] = [];
  for (const unit of units) {
    started.unshift(unit);
    try {
      await unit.start();
    } catch (error) {
      options.logger.fatal({ err: error, unit: unit.name }, `${unit.name} could not start`);
      await stopAll(started, options);
      return 1;
    }
  }
  options.logger.info('ready');
  options.logger.info({ signal: await signal }, 'draining');
  options.beginDrain();
  await delay(options.drainWait);
  return (await stopAll(started, options)) ? 0 : 1;
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve);
  });
}

async function stopAll(units: readonly Unit[], options: LifecycleOptions): Promise<boolean> {
  let expire: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    expire = setTimeout(() => resolve('late'), options.deadline);
  });
  try {
    for (const [at, unit] of units.entries()) {
      if ((await Promise.race([stop(unit, options.logger), late])) === 'late') {
        leave(units.slice(at), options);
        return false;
      }
    }
  } finally {
    clearTimeout(expire);
  }
  options.logger.info('stopped');
  return true;
}

/** The loggers write what they have yet to write when the process exits. */
function leave(units: readonly Unit[], { logger, deadline, exit }: LifecycleOptions): void {
  const left = units.map(({ name }) => name);
  logger.error({ left, deadline }, 'drain deadline passed, ending without stopping what is left');
  (exit ?? process.exit)(1);
}

async function stop(unit: Unit, logger: Logger): Promise<void> {
  try {
    await unit.stop();
  } catch (error) {
    logger.error({ err: error, unit: unit.name }, `${unit.name} did not stop cleanly`);
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
