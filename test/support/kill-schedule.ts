import { KillEnds } from './kill-ends.js';
import { KillLogins } from './kill-logins.js';
import { KillScene, type KillGrounds } from './kill-scene.js';
import { KillUses } from './kill-uses.js';
import type { Victim } from './crash-victims.js';
import type { Choices } from './proofs.js';
import { scanRecords } from './record-scan.js';
import type { SessionOracle } from './session-oracle.js';
import { people } from './session-world-scene.js';

/** What people do at two gateways, one of which dies meanwhile, and what is expected of it. */
export class KillSchedule {
  readonly #scene: KillScene;
  readonly #logins: KillLogins;
  readonly #uses: KillUses;
  readonly #ends: KillEnds;

  constructor(grounds: KillGrounds, victim: Victim, choices: Choices) {
    this.#scene = new KillScene(grounds, victim, choices);
    this.#logins = new KillLogins(this.#scene);
    this.#uses = new KillUses(this.#scene);
    this.#ends = new KillEnds(this.#scene);
  }

  get oracle(): SessionOracle {
    return this.#scene.oracle;
  }

  /** Somebody is there from the beginning. */
  async begin(): Promise<void> {
    await this.#scene.begin();
    await this.#logins.login();
  }

  /** One of the things that anybody may do; rejects where the dead one is asked. */
  act(): Promise<void> {
    const { choices } = this.#scene;
    if (choices.rarely(12)) {
      return this.#ends.revoke(choices.one(people), this.#scene.managementOrigin());
    }
    const acts = [
      ...[1, 2, 3].flatMap(() => [() => this.#logins.login(), () => this.#uses.renew()]),
      ...[() => this.#ends.logout(), () => this.#ends.backChannel(), () => this.#uses.check()],
      ...[() => this.#uses.pushRoles(), () => this.#uses.changeRoles()],
      ...[1, 2].flatMap(() => [() => this.#logins.exchange(), () => this.#uses.report()]),
    ];
    return choices.one(acts)();
  }

  /** After every step: some session, and what Redis keeps (I3, I4, I8, I9). */
  async look(): Promise<void> {
    await this.#scan();
    await this.#uses.check();
  }

  /** Everything that was ever given, once more; then everybody is revoked. */
  async conclude(): Promise<void> {
    for (const id of this.oracle.ids()) await this.#uses.checkOne(id);
    await this.#scan();
    await this.#scene.conclude();
    const { admin, stack } = this.#scene.grounds;
    for (const person of people) await this.#ends.revoke(person, stack.managementOrigin);
    // But not the sealed tokens of ended ones, which wait for the provider.
    const records = ['extauthz:session:*', 'gateway:session:*'];
    const found = await Promise.all(records.map((pattern) => admin.keys(pattern)));
    const left = found.flat().length;
    if (left > 0) this.oracle.wrong.push(`I14 ${String(left)} records outlived every revocation`);
  }

  /** Pairs with ends, one version per renewal, no bearer session beyond the end of its token. */
  async #scan(): Promise<void> {
    await this.#scene.judgeVersions();
    const { admin } = this.#scene.grounds;
    const found = [await scanRecords(admin), await this.#logins.bearers.beyondTheirTokens()];
    this.oracle.wrong.push(...found.flat());
  }
}
