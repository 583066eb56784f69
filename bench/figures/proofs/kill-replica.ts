import type { Proof } from '../figure.js';
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
      async ([victim], traffic, { checks }) => {
        await traffic.reach(checks / 3);
        await victim?.child.kill();
      },
      (name, verdict) => [
        ...verdictFigures(name, verdict),
        {
          name: `${name}-error-window`,
          value: verdict.trouble === undefined ? 0 : verdict.trouble.last - verdict.trouble.first,
          goal: { atMost: 1_000 },
          unit: 'ms',
        },
      ],
    ),
};
