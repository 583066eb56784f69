import { conditions } from '../../src/revocation/conditions.js';
import { measureRevocation } from '../../src/revocation/revocation.js';
import type { Proof } from '../figure.js';

/** The same measurement as the benchmark's, as figures. */
export const revocationProofs: readonly Proof[] = conditions.map((condition) => ({
  name: `revocation-${condition.name}`,
  about: `From DEL to the first 401: ${condition.about}`,
  minutes: 12,
  run: async (bench, { seed, short }) => {
    const count = short ? 2 * condition.batch + 18 : 1_000;
    const { note, goals } = await measureRevocation(bench, condition, seed, count);
    return {
      notes: [note],
      figures: goals.map(({ name, measured, atMost, unit, invalid }) => ({
        name,
        value: measured,
        goal: { atMost },
        ...(unit === 'ms' ? { unit } : {}),
        ...(invalid === undefined ? {} : { invalid }),
      })),
    };
  },
}));
