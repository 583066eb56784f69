import type { SessionId } from '@sallyport/shared';
import type { Step, StepKind } from './session-schedule.js';
import type { Ends } from './session-world-ends.js';
import type { Logins } from './session-world-logins.js';
import { people, type Scene } from './session-world-scene.js';
import type { Uses } from './session-world-uses.js';

const kindsOnSession = [
  ...(['check', 'check-other-lane', 'heartbeat', 'refresh', 'report', 'expire-tokens'] as const),
  ...(['work', 'damage', 'logout', 'back-channel'] as const),
];
type KindOnSession = (typeof kindsOnSession)[number];

/** What is done with some session that was given to somebody. */
export type ActsOnSession = Record<
  KindOnSession,
  (id: SessionId, replica: number) => Promise<void>
>;
export type Acts = Record<Exclude<StepKind, KindOnSession>, (step: Step) => Promise<void>>;

export function isOnSession(kind: StepKind): kind is KindOnSession {
  return (kindsOnSession as readonly StepKind[]).includes(kind);
}

export function actsOnSession(uses: Uses, ends: Ends): ActsOnSession {
  return {
    check: (id) => uses.check(id, 'its-own-lane'),
    'check-other-lane': (id) => uses.check(id, 'the-other-lane'),
    heartbeat: (id, replica) => uses.request(id, replica, 'GET', '/auth/v1/session'),
    refresh: (id, replica) => uses.request(id, replica, 'POST', '/auth/refresh'),
    report: (id, replica) => uses.report(id, replica),
    'expire-tokens': (id) => uses.expireTokens(id),
    work: (id, replica) => uses.work(id, replica),
    damage: (id) => uses.damage(id),
    logout: (id, replica) => ends.logout(id, replica),
    'back-channel': (id, replica) => ends.backChannel(id, replica),
  };
}

export function acts(
  scene: Scene,
  does: {
    readonly logins: Logins;
    readonly uses: Uses;
    readonly ends: Ends;
    readonly fail: (step: Step) => void;
  },
): Acts {
  const { logins, uses, ends } = does;
  const person = ({ which }: Step) => people[which % people.length] ?? 'ada';
  const fail = (step: Step) => {
    does.fail(step);
    return Promise.resolve();
  };
  return {
    start: (step) => logins.begin(step.who, step.replica, person(step)),
    callback: ({ who, which, replica }) => logins.finish(who, who, which, replica),
    'foreign-callback': ({ who, which, replica }) => logins.finish(who, who + 1, which, replica),
    exchange: (step) => logins.exchange(person(step), 60 + step.which * 60, step.replica),
    'revoke-user': (step) => ends.revoke(person(step), step.replica),
    'push-roles': (step) => uses.pushRoles(person(step), step.replica),
    'change-roles': (step) => {
      scene.oracle.newRoles(person(step), scene.now());
      return Promise.resolve();
    },
    'permissions-down': fail,
    'refresh-fault': fail,
    'redis-fault': fail,
    resume: ({ replica }) => ends.resume(replica),
    // Nothing else may be under way then: the world itself does it.
    'time-passes': () => Promise.resolve(),
  };
}
