import { isUnsafe } from './csrf.js';
import type { InboundHeaders, RequestFacts } from './request-facts.js';

const checksBeforeDoubt = 1000;
/** Each of them was refused, so fewer have to be. */
const changesBeforeDoubt = 50;

/** What Envoy seems not to have been told to forward. */
export type Unforwarded = 'everything' | 'origin';

type Facts = Pick<RequestFacts, 'method' | 'headers'>;

/**
 * In HTTP mode Envoy forwards only the headers it is told to. Where many checks came without any
 * that a decision reads, or many changes by cookie without the two that show whose page sent them
 * (each a 403 `csrf`), it was not told: says so once, and looks no more once the headers have come.
 */
export function forwardedHeadersWatch(
  warn: (missing: Unforwarded) => void,
  limits = { checks: checksBeforeDoubt, changes: changesBeforeDoubt },
): (facts: Facts) => void {
  const everything = countdown(limits.checks, () => warn('everything'));
  const origin = countdown(limits.changes, () => warn('origin'));
  let isOver = false;
  return ({ method, headers }) => {
    if (isOver) return;
    everything.saw(comesWithAny(headers));
    if (showsOrigin(headers)) origin.saw(true);
    else if (headers.cookie !== undefined && isUnsafe(method, headers)) origin.saw(false);
    isOver = everything.isOver() && origin.isOver();
  };
}

const showsOrigin = (headers: InboundHeaders): boolean =>
  headers.origin !== undefined || headers['sec-fetch-site'] !== undefined;

const comesWithAny = (headers: InboundHeaders): boolean =>
  showsOrigin(headers) ||
  headers.cookie !== undefined ||
  headers.authorization !== undefined ||
  headers['sec-fetch-mode'] !== undefined;

/** Over at the first good one, or with a warning after so many that were not. */
function countdown(left: number, warn: () => void) {
  return {
    isOver: () => left === 0,
    saw: (isGood: boolean): void => {
      if (left === 0) return;
      left = isGood ? 0 : left - 1;
      if (!isGood && left === 0) warn();
    },
  };
}
