import { afterEach, expect } from '@jest/globals';
import { abandonWaits } from './until.js';

afterEach(() => {
  const waits = abandonWaits();
  if (waits.length === 0) return;
  const { currentTestName = '' } = expect.getState();
  process.stderr.write(`${currentTestName}\n${waits.join('\n')}\n`);
});
