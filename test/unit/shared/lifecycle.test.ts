import { describe, expect, it } from '@jest/globals';
import { createLogger, runUntilSignal, type Unit } from '@sallyport/shared/runtime';

const logger = createLogger({ name: 'test', level: 'silent' });

/** Units that write down what happens to them. */
function diary() {
  const lines: string[] = [];
  const unit = (name: string, overrides: Partial<Unit> = {}): Unit => ({
    name,
    start: () => Promise.resolve(void lines.push(`start ${name}`)),
    stop: () => Promise.resolve(void lines.push(`stop ${name}`)),
    ...overrides,
  });
  const options = {
    logger,
    beginDrain: () => void lines.push('drain'),
    drainWait: 0,
    deadline: 10_000,
  };
  return { lines, unit, options };
}

/** The last unit: its start is the moment at which the signal comes. */
function signalled(signal: NodeJS.Signals): Unit {
  return {
    name: 'signal',
    start: () => Promise.resolve(void setImmediate(() => process.emit(signal, signal))),
    stop: () => Promise.resolve(),
  };
}

describe('runUntilSignal', () => {
  it.each<NodeJS.Signals>(['SIGTERM', 'SIGINT'])(
    'starts in order, drains first on %s, stops in reverse',
    async (signal) => {
      const { lines, unit, options } = diary();
      const units = [unit('redis'), unit('server'), signalled(signal)];
      expect(await runUntilSignal(units, options)).toBe(0);
      expect(lines).toEqual(['start redis', 'start server', 'drain', 'stop server', 'stop redis']);
    },
  );

  it('stops what has started when a unit cannot start, and says so by its code', async () => {
    const { lines, unit, options } = diary();
    const broken = unit('server', { start: () => Promise.reject(new Error('port taken')) });
    expect(await runUntilSignal([unit('redis'), broken, unit('never')], options)).toBe(1);
    expect(lines).toEqual(['start redis', 'stop server', 'stop redis']);
  });

  it('stops the rest although one unit cannot stop', async () => {
    const { lines, unit, options } = diary();
    const broken = unit('server', { stop: () => Promise.reject(new Error('stuck')) });
    expect(await runUntilSignal([unit('redis'), broken, signalled('SIGTERM')], options)).toBe(0);
    expect(lines).toContain('stop redis');
  });

  it('ends the process where a unit outlasts the deadline, and says what was left', async () => {
    const { lines, unit, options } = diary();
    const written: string[] = [];
    const told = createLogger(
      { name: 'test', level: 'error' },
      { write: (line) => void written.push(line) },
    );
    const exits: unknown[] = [];
    const endless = unit('server', { stop: () => new Promise(() => undefined) });
    const units = [unit('redis'), endless, signalled('SIGTERM')];
    const exit = (code: number): void => void exits.push(code, ...written);
    const outcome = runUntilSignal(units, { ...options, logger: told, deadline: 1, exit });
    expect(await outcome).toBe(1);
    expect(exits).toEqual([1, expect.stringContaining('"left":["server","redis"],"deadline":1,')]);
    expect(lines).not.toContain('stop redis');
  });

  it('ends nothing where everything has stopped', async () => {
    const { unit, options } = diary();
    const exit = (): void => {
      throw new Error('ended');
    };
    const units = [unit('redis'), signalled('SIGTERM')];
    expect(await runUntilSignal(units, { ...options, exit })).toBe(0);
  });
});
