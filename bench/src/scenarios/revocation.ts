import { conditions } from '../revocation/conditions.js';
import { measureRevocation } from '../revocation/revocation.js';
import type { Scenario } from '../scenario.js';

/** One per condition: `revocation-idle`, `-loaded`, `-killed`, `-frozen`. */
export const revocation: readonly Scenario[] = conditions.map((condition) => ({
  name: `revocation-${condition.name}`,
  about: `From DEL to the first 401, probed without a break: ${condition.about}`,
  run: async (bench, { seed, quick }) => {
    const count = quick ? 3 * Math.max(10, condition.batch) : 1_000;
    const { note, goals } = await measureRevocation(bench, condition, seed, count);
    return { tables: [], notes: [note], goals };
  },
}));
