import { userOwner } from '@sallyport/shared';
import type { RefreshFault } from './model-idp.js';
import { scanRecords } from './record-scan.js';
import type { SessionOracle } from './session-oracle.js';
import type { Schedule, Step } from './session-schedule.js';
import {
  acts,
  actsOnSession,
  isOnSession,
  type Acts,
  type ActsOnSession,
} from './session-world-acts.js';
import { Ends } from './session-world-ends.js';
import { Logins } from './session-world-logins.js';
import { people, Scene, type WorldParts } from './session-world-scene.js';
import { Uses } from './session-world-uses.js';
import { letTimePass } from './time-travel.js';
import { settle } from './turns.js';

/** The replicas' own work comes this often, seconds. */
const piece = 150;
const refreshFaults: readonly RefreshFault[] = ['lost', 'refused-connection', 'server-error'];

/** One schedule on its way: people, replicas, what they did, and what is expected of it. */
export class SessionWorld {
  readonly #scene: Scene;
  readonly #logins: Logins;
  readonly #uses: Uses;
  readonly #acts: Acts;
  readonly #onSession: ActsOnSession;
  readonly #active = new Set<Promise<void>>();

  constructor(parts: WorldParts, { replicas, faults }: Schedule) {
    this.#scene = new Scene(parts, replicas);
    this.#logins = new Logins(this.#scene);
    this.#uses = new Uses(this.#scene);
    const ends = new Ends(this.#scene);
    this.#onSession = actsOnSession(this.#uses, ends);
    const fail = (step: Step) => {
      if (faults) this.#fail(step);
    };
    this.#acts = acts(this.#scene, { logins: this.#logins, uses: this.#uses, ends, fail });
    parts.directory.rolesOf = (userId) => this.oracle.rolesOf(userId);
    parts.directory.down = false;
    parts.idp.nextFault = 'none';
    parts.turns.nextFault = undefined;
    parts.turns.afterCall = async () => {
      this.oracle.wrong.push(...(await scanRecords(parts.admin)));
    };
  }

  get oracle(): SessionOracle {
    return this.#scene.oracle;
  }

  /** @returns what was wrong */
  async run({ steps }: Schedule): Promise<string[]> {
    const { turns } = this.#scene.parts;
    // Somebody is there from the beginning.
    for (const [who, person] of people.entries()) {
      await this.#logins.begin(who, who, person);
      await this.#logins.finish(who, who, 0, who);
    }
    turns.inForce = true;
    for (const step of steps) {
      if (step.kind === 'time-passes') await this.#timePasses(30 + step.which * 30);
      else this.#start(this.#act(step));
      await settle();
      for (const pick of step.turns) await turns.step(pick);
      const id = this.#scene.some(step.which);
      if (id !== undefined) await this.#uses.check(id, 'its-own-lane');
      if (this.oracle.wrong.length > 0) break;
    }
    await this.#drain();
    await this.#conclude();
    turns.inForce = false;
    return [...new Set(this.oracle.wrong)];
  }

  #start(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.oracle.wrong.push(`broke: ${String((error as Error).stack)}`);
      })
      .finally(() => this.#active.delete(tracked));
    this.#active.add(tracked);
  }

  async #drain(): Promise<void> {
    const end = Date.now() + 20_000;
    while (this.#active.size > 0) {
      if (await this.#scene.parts.turns.step(0)) continue;
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (Date.now() > end) throw new Error('a step never ended');
    }
  }

  /** Everything that was ever given is looked at once more; then everybody is revoked. */
  async #conclude(): Promise<void> {
    const { idp, admin, turns } = this.#scene.parts;
    for (const id of this.oracle.ids()) {
      await this.#uses.check(id, 'the-other-lane');
      await this.#uses.check(id, 'its-own-lane');
    }
    // Once, again after each time that the provider failed to answer (TRUST R13), and once more where
    // what it answered could not be stored.
    const retriable = this.#scene.failures > 0 ? 1 : 0;
    for (const [token, times] of idp.sent) {
      const allowed = 1 + (idp.unanswered.get(token) ?? 0) + retriable;
      if (times > allowed) this.oracle.wrong.push(`I4 ${token} was sent ${String(times)} times`);
    }
    for (const [state, times] of idp.completed) {
      if (times > 1) this.oracle.wrong.push(`I6 ${state} was completed ${String(times)} times`);
    }
    turns.inForce = false;
    turns.nextFault = undefined;
    for (const person of people) {
      await this.#scene.gateway(0).revocations.revokeAll(userOwner(person));
    }
    const left = (await admin.keys('*session:*')).length;
    if (left > 0) this.oracle.wrong.push(`I14 ${String(left)} records outlived every revocation`);
  }

  async #timePasses(seconds: number): Promise<void> {
    await this.#drain();
    // In pieces, and between them the replicas' own work, as it would be done.
    for (let left = seconds; left > 0; left -= piece) {
      await letTimePass(this.#scene.parts.admin, Math.min(left, piece));
      this.#scene.passed += Math.min(left, piece);
      for (const id of this.oracle.living()) this.#start(this.#uses.work(id, 0));
      await this.#drain();
    }
  }

  #act(step: Step): Promise<void> {
    const { kind, which, replica } = step;
    if (!isOnSession(kind)) return this.#acts[kind](step);
    const id = this.#scene.some(which);
    return id === undefined ? Promise.resolve() : this.#onSession[kind](id, replica);
  }

  #fail({ kind, which }: Step): void {
    const { directory, idp, turns } = this.#scene.parts;
    if (kind === 'permissions-down') directory.down = which % 2 === 0;
    if (kind === 'redis-fault') turns.nextFault = which % 2 === 0 ? 'lost' : 'unsent';
    if (kind === 'refresh-fault') {
      idp.nextFault = refreshFaults[which % refreshFaults.length] ?? 'lost';
    }
    this.#scene.failures += 1;
    this.oracle.doubtAll();
  }
}
