import { writeFileSync } from 'node:fs';

/**
 * Loaded into the measured process with `--import`, beside `--expose-gc`. On SIGUSR2 it collects
 * garbage until the heap no longer shrinks and writes down what is left: without that, "memory" is
 * mostly how long ago the last collection was. It does nothing else, so the binary is the real one.
 */
const collect = (globalThis as { gc?: () => void }).gc;
const file = process.env['MEMORY_PROBE_FILE'];
const collections = 5;

process.on('SIGUSR2', () => {
  for (let round = 0; round < collections; round += 1) collect?.();
  if (file !== undefined) writeFileSync(file, JSON.stringify(process.memoryUsage()));
});
