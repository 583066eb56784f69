import fc from 'fast-check';

/** One thing that somebody does; the numbers choose who, whose, and on which replica. */
export interface Step {
  readonly kind: StepKind;
  readonly who: number;
  readonly which: number;
  readonly replica: number;
  /** How many outside calls of whatever is under way happen before the next step, and which. */
  readonly turns: readonly number[];
}

/** How often each comes among the others. */
const weights = {
  start: 5,
  callback: 6,
  'foreign-callback': 1,
  check: 6,
  exchange: 3,
  'check-other-lane': 1,
  heartbeat: 4,
  refresh: 2,
  report: 4,
  'expire-tokens': 4,
  work: 3,
  logout: 3,
  'revoke-user': 2,
  'back-channel': 1,
  'push-roles': 2,
  'change-roles': 2,
  'permissions-down': 1,
  'refresh-fault': 2,
  'redis-fault': 1,
  'time-passes': 2,
  resume: 1,
  damage: 1,
} as const;

export type StepKind = keyof typeof weights;

export interface Schedule {
  readonly replicas: number;
  /** Whether anything fails; where nothing does, what must live must live. */
  readonly faults: boolean;
  readonly steps: readonly Step[];
}

export function schedules(maxSteps: number): fc.Arbitrary<Schedule> {
  const kind = fc.oneof(
    ...Object.entries(weights).map(([name, weight]) => ({
      weight,
      arbitrary: fc.constant(name as StepKind),
    })),
  );
  return fc.record({
    replicas: fc.integer({ min: 1, max: 3 }),
    faults: fc.boolean(),
    steps: fc.array(
      fc.record({
        kind,
        who: fc.nat(2),
        which: fc.nat(50),
        replica: fc.nat(2),
        turns: fc.array(fc.nat(7), { maxLength: 12 }),
      }),
      { minLength: 12, maxLength: maxSteps, size: 'max' },
    ),
  });
}
