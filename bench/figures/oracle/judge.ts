import { userIdAt } from '../../src/load/sessions.js';
import { boundMs } from '../../src/revocation/trial.js';
import type { Change, Entry } from '../traffic/journal.js';

export interface Verdict {
  readonly checks: number;
  readonly allows: number;
  readonly denials: number;
  readonly unavailable: number;
  /** Neither 200, 401 nor 503; 0 is "no answer". */
  readonly others: Readonly<Record<string, number>>;
  /** To a session that certainly was not there, or with another's identity. */
  readonly wrongAllows: number;
  /** To a session that certainly was there all the time. */
  readonly wrong401s: number;
  /** Allows to checks sent after a confirmed revocation, within the published bound. */
  readonly allowsWithinBound: number;
  /** When answers were neither 200 nor 401: first and last, as the journal's clock says. */
  readonly trouble: { readonly first: number; readonly last: number } | undefined;
}

type Life = Partial<Record<Change, number>>;

/**
 * Judges every answer by what the writer knew. Pure. What overlaps a change that was not yet
 * confirmed is in doubt and judged in favour of the service; everything else is not.
 */
export function judge(entries: readonly Entry[]): Verdict {
  const lives = livesOf(entries);
  const others: Record<string, number> = {};
  let [checks, allows, denials, unavailable] = [0, 0, 0, 0];
  let [wrongAllows, wrong401s, allowsWithinBound] = [0, 0, 0];
  let trouble: Verdict['trouble'];
  for (const entry of entries) {
    if (entry[0] !== 'check') continue;
    const [, , session, sent, answered, status, userId] = entry;
    const life = lives.get(session) ?? {};
    checks += 1;
    if (status === 200) {
      allows += 1;
      if (userId !== userIdAt(session) || wasAbsent(life, sent, answered)) wrongAllows += 1;
      else if (sent > (life.revoked ?? Infinity)) allowsWithinBound += 1;
    } else if (status === 401) {
      denials += 1;
      if (wasPresent(life, sent, answered)) wrong401s += 1;
    } else {
      if (status === 503) unavailable += 1;
      else others[status] = (others[status] ?? 0) + 1;
      trouble = {
        first: Math.min(trouble?.first ?? Infinity, answered),
        last: Math.max(trouble?.last ?? 0, answered),
      };
    }
  }
  return {
    checks,
    allows,
    denials,
    unavailable,
    others,
    wrongAllows,
    wrong401s,
    allowsWithinBound,
    trouble,
  };
}

/** The first sending and the last confirmation of each change: a repeated one is one change. */
function livesOf(entries: readonly Entry[]): ReadonlyMap<number, Life> {
  const lives = new Map<number, Life>();
  for (const entry of entries) {
    if (entry[0] === 'check') continue;
    const [change, session, at] = entry;
    const life = lives.get(session) ?? {};
    lives.set(session, life);
    life[change] ??= at;
  }
  return lives;
}

function wasAbsent(life: Life, sent: number, answered: number): boolean {
  return answered < (life.creating ?? Infinity) || sent > (life.revoked ?? Infinity) + boundMs;
}

function wasPresent(life: Life, sent: number, answered: number): boolean {
  return sent > (life.created ?? Infinity) && answered < (life.revoking ?? Infinity);
}
