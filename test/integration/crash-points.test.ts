import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Aftermath } from '../support/crash-aftermath.js';
import { crashScenes, type Scene } from '../support/crash-scenes.js';
import { isRound, type Strike } from '../support/crash-switch.js';
import { Victims, type Victim } from '../support/crash-victims.js';
import { reportFigure } from '../support/figures.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { isAlive } from '../support/processes.js';
import { Choices, isLong, proofSeed } from '../support/proofs.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const token = 'a-token-of-a-service-that-may-revoke';
const env = {
  INTERNAL_API_TOKENS: `admin:${token}`,
  IDP_TIMEOUT_MS: '1000',
  REFRESH_RETRY_AFTER: '1500',
};
/** In the short form; the long form kills at every point, before and after. */
const strikesPerFlow = 4;
/** A point is missed where the machine does it in another order or not at all: then once more. */
const tries = 3;

type Flow = () => Promise<Scene>;
type Place = Extract<Strike, { label: string }>;

const flowNames = [
  'the start of a login',
  'callback',
  'a refresh by heartbeat',
  'a refresh by POST',
  'a refresh by the worker',
  'a logout',
  'a back-channel logout',
] as const satisfies readonly (keyof ReturnType<typeof crashScenes>)[];

describeOnRedis(
  '6.2',
  `a gateway killed at any Redis command and any call (PROOF_SEED=${String(proofSeed)})`,
  (redis) => {
    let stack: GatewayStack;
    let victims: Victims;
    let after: Aftermath;
    let flows: Record<(typeof flowNames)[number], Flow>;
    const choices = new Choices(proofSeed);
    const struckAt = new Set<string>();
    const missed: string[] = [];
    const wrong: string[] = [];
    beforeAll(async () => {
      const { admin } = redis();
      stack = await startGatewayStack(redis(), env);
      victims = new Victims(redis(), stack, env);
      after = new Aftermath(redis(), stack, token);
      flows = crashScenes(stack, admin, after);
    });
    afterAll(async () => {
      reportFigure({ name: 'crash-points-killed', value: struckAt.size, goal: { atLeast: 12 } });
      reportFigure({ name: 'crash-points-missed', value: missed.length, goal: { atMost: 0 } });
      reportFigure({ name: 'crash-points-violations', value: wrong.length, goal: { atMost: 0 } });
      await victims.close();
      await stack.close();
    });

    /** With the other gateway standing still where it would do the same. */
    const play = async <T>(scene: Scene, victim: Victim, ends: () => Promise<T>): Promise<T> => {
      const other = scene.alone === true ? stack.gateway.pid : undefined;
      if (other !== undefined) process.kill(other, 'SIGSTOP');
      try {
        const isStruck = () => victim.crash.struck() !== undefined;
        await scene.act({ origin: victim.origin, isStruck }).catch(() => undefined);
        return await ends();
      } finally {
        if (other !== undefined) process.kill(other, 'SIGCONT');
      }
    };
    /** What the gateway does when nobody kills it; of its rounds, each kind once. */
    const placesOf = async (flow: Flow, victim: Victim): Promise<Omit<Place, 'moment'>[]> => {
      const own = () => victim.crash.points().filter((label) => !isRound(label)).length;
      const scene = await flow();
      victim.crash.arm(victim.pid);
      await play(scene, victim, () => until(quietFor(300, own)));
      const labels = victim.crash.points();
      victim.crash.disarm();
      await after.outliveRevocation();
      expect(own()).toBeGreaterThan(0);
      return labels
        .map((label, at) => ({ label, nth: labels.slice(0, at).filter((l) => l === label).length }))
        .filter(({ label, nth }) => nth === 0 || !isRound(label));
    };
    const kill = async (flow: Flow, strike: Place, victim: Victim): Promise<boolean> => {
      const scene = await flow();
      victim.crash.arm(victim.pid, strike);
      const isDead = () => victim.crash.struck() !== undefined && !isAlive(victim.pid);
      const dead = await play(scene, victim, () =>
        settles(isDead, isRound(strike.label) ? 15_000 : 4_000),
      );
      const struck = victim.crash.struck();
      await victim.close();
      const found = [
        ...(struck === undefined || dead ? [] : ['it lives on']),
        ...(await after.unequal()),
        ...(await scene.judge()),
        ...(await after.outliveRevocation()),
      ];
      wrong.push(...found.map((what) => `${struck ?? JSON.stringify(strike)}: ${what}`));
      return struck !== undefined;
    };

    it.each(flowNames)(
      'in %s leaves both records or none, no session that outlives a logout, and lets people log in',
      async (name) => {
        const flow = flows[name];
        // Once for nothing: Redis learns the scripts, which it is only told the first time.
        await (await flow()).act({ origin: stack.origin, isStruck: () => false });
        const first = await victims.next();
        const places = await placesOf(flow, first);
        const all = places.flatMap((place) =>
          (['before', 'after'] as const).map((moment) => ({ ...place, moment })),
        );
        const chosen = isLong ? all : someOf(choices, all, strikesPerFlow);
        const from = [wrong.length, missed.length] as const;
        let known: Victim | undefined = first;
        for (const strike of chosen) {
          let isStruck = false;
          for (let left = tries; left > 0 && !isStruck; left -= 1) {
            // The one that was watched has the provider's keys already.
            if (strike.label.includes('/jwks'))
              await known?.close().then(() => (known = undefined));
            isStruck = await kill(flow, strike, known ?? (await victims.next()));
            known = undefined;
          }
          const place = `${name}: ${strike.moment} ${strike.label} #${String(strike.nth)}`;
          if (isStruck) struckAt.add(place);
          else missed.push(place);
        }
        expect({ wrong: wrong.slice(from[0]), missed: missed.slice(from[1]) }).toEqual({
          wrong: [],
          missed: [],
        });
      },
      isLong ? 900_000 : 300_000,
    );
  },
  { appendOnly: true },
);

function someOf<T>(choices: Choices, all: readonly T[], count: number): T[] {
  const left = [...all];
  return Array.from({ length: Math.min(count, all.length) }).flatMap(() =>
    left.splice(choices.below(left.length), 1),
  );
}

/** Whether it holds within the time. */
async function settles(holds: () => boolean, patience: number): Promise<boolean> {
  return until(holds, patience).then(
    () => true,
    () => false,
  );
}

function quietFor(milliseconds: number, count: () => number): () => boolean {
  let [last, since] = [count(), Date.now()];
  return () => {
    if (count() !== last) [last, since] = [count(), Date.now()];
    return Date.now() - since > milliseconds;
  };
}
