import { describe, expect, it } from '@jest/globals';
import { createLogger, linesOfOneTurn } from '../../../shared/src/runtime/logger.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the lines of one turn', () => {
  it('leave in one write, in order, when the turn is over', async () => {
    const writes: string[] = [];
    const logger = createLogger(
      { name: 'test', level: 'info' },
      linesOfOneTurn({ write: (text) => void writes.push(text) }),
    );

    logger.info('one');
    logger.info('two');
    expect(writes).toEqual([]);
    await turn();
    logger.info('three');
    await turn();

    expect(writes).toHaveLength(2);
    const words = writes.map((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    );
    expect(words).toEqual([['one', 'two'], ['three']]);
  });
});
