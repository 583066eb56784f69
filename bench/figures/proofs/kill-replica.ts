import type { Proof } from '../figure.js';
import { killSeen, killSeenFigures } from './failed-over.js';
import { withReplicas } from './replicas.js';
import { verdictFigures } from './verdict-figures.js';

export const killReplica: Proof = {
  name: 'kill-replica',
  about: 'One of two replicas behind Envoy is killed (SIGKILL) at 1,000 checks/s and stays away',
  minutes: 10,
  run: (_bench, settings) =>
    withReplicas(
      killReplica.name,
      { ...settings, seconds: 4 },
      async ({ replicas, traffic, pace: { checks }, envoy }) => {
        await traffic.reach(checks / 3);
        return killSeen(replicas, envoy, () => traffic.reach(checks));
      },
      (name, verdict, seen) => [
        ...verdictFigures(name, verdict),
        ...killSeenFigures(name, seen),
        {
          name: `${name}-error-window`,
          value: verdict.trouble === undefined ? 0 : verdict.trouble.last - verdict.trouble.first,
          goal: { atMost: 1_000 },
          unit: 'ms',
        },
      ],
    ),
};
