import type { Proof } from '../figure.js';
import { withReplicas } from './replicas.js';
import { verdictFigures } from './verdict-figures.js';

/** How long both serve again before the next one goes: as long as a rollout would wait at least. */
const settledSeconds = 1;

export const rollingRestart: Proof = {
  name: 'rolling-restart',
  about: 'Two replicas behind Envoy are restarted in turn (SIGTERM) at 1,000 checks/s',
  minutes: 10,
  run: (_bench, settings) =>
    withReplicas(
      rollingRestart.name,
      { ...settings, seconds: 10 },
      async ({ replicas, traffic, pace: { checks, perSecond } }) => {
        let reached = checks / 10;
        for (const { child } of replicas) {
          await traffic.reach(Math.min(reached, checks));
          const before = performance.now();
          await child.restart();
          const seconds = (performance.now() - before) / 1000 + settledSeconds;
          reached += seconds * perSecond;
        }
      },
      (name, verdict) => [
        ...verdictFigures(name, verdict),
        {
          name: `${name}-lost-checks`,
          value:
            verdict.unavailable +
            verdict.wrong401s +
            Object.values(verdict.others).reduce((sum, count) => sum + count, 0),
          goal: { atMost: 0 },
        },
      ],
    ),
};
