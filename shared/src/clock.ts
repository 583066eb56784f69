/** Milliseconds since the epoch. The only source of time; tests pass their own. */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now();
