import { expect, it } from '@jest/globals';
import { createLogger, Registry } from '@sallyport/shared/runtime';
import { auditLog } from '../../../session-gateway/src/audit/audit-log.js';
import { createRefreshEvents } from '../../../session-gateway/src/refresh-events.js';
import { refreshWorker } from '../../../session-gateway/src/sessions/refresh-worker.js';
import { until } from '../../support/until.js';

it('tells of every outage once, not of its every round', async () => {
  const lines: string[] = [];
  const logger = createLogger(
    { name: 'test', level: 'info' },
    { write: (line) => void lines.push(line) },
  );
  const audit = auditLog(() => undefined, Date.now);
  const rounds = ['down', 'down', 'up', 'down', 'down', 'up'];
  let round = 0;
  const worker = refreshWorker({
    due: {
      claim: () =>
        rounds[round++] === 'down'
          ? Promise.reject(Object.assign(new Error('down'), { code: 'store_unavailable' }))
          : Promise.resolve([]),
      forget: () => Promise.resolve(),
    },
    store: { find: () => Promise.resolve(undefined) },
    upkeep: { attend: () => Promise.reject(new Error('unused')), settled: () => Promise.resolve() },
    events: createRefreshEvents(new Registry(), logger, audit),
    clock: Date.now,
    idleSeconds: 1800,
  });
  await worker.start();
  await until(() => round >= rounds.length);
  await worker.stop();
  expect(lines.filter((line) => line.includes('background work failed'))).toHaveLength(2);
});
