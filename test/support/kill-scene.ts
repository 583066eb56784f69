import type { SessionId } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import type { Victim } from './crash-victims.js';
import type { GatewayStack } from './gateway.js';
import type { InProcessGateway } from './in-process-gateway.js';
import type { Choices } from './proofs.js';
import { metric } from './replicas.js';
import { SessionOracle } from './session-oracle.js';
import type { SessionReader } from './session-reader.js';
import { gatewayKeyOf } from './session-world-scene.js';
import { TokenBook } from './token-book.js';

/** What all schedules share. */
export interface KillGrounds {
  readonly admin: Redis;
  readonly stack: GatewayStack;
  readonly reader: SessionReader;
  /** Opens sessions for tokens until the gateway has a route for it; it is not killed. */
  readonly exchanger: InProcessGateway;
  /** Of somebody who may revoke. */
  readonly token: string;
}

/** Where one schedule plays: two gateways, one of which dies, and what is expected of both. */
export class KillScene {
  readonly oracle = new SessionOracle();
  readonly book = new TokenBook();
  readonly grounds: KillGrounds;
  readonly choices: Choices;
  readonly #victim: Victim;
  readonly #begin = Date.now();
  /** Of sessions that came of a login. */
  readonly sids = new Map<SessionId, string>();
  #retriesBefore = 0;

  constructor(grounds: KillGrounds, victim: Victim, choices: Choices) {
    this.grounds = grounds;
    this.#victim = victim;
    this.choices = choices;
    grounds.stack.idp.onGrant = (asked, given) => this.book.note(asked, given);
  }

  async begin(): Promise<void> {
    this.#retriesBefore = await this.#retries();
  }

  /** Where somebody asks: the one that dies or the one that stays. */
  origin(): string {
    return this.choices.one([this.grounds.stack.origin, this.#victim.origin]);
  }

  managementOrigin(): string {
    return this.choices.one([this.grounds.stack.managementOrigin, this.#victim.managementOrigin]);
  }

  some(): SessionId | undefined {
    return this.oracle.ids().length === 0 ? undefined : this.choices.one(this.oracle.ids());
  }

  /** Seconds of the schedule. */
  now(): number {
    return (Date.now() - this.#begin) / 1000;
  }

  isBearer(id: SessionId): boolean {
    return this.oracle.laneOf(id) === 'bearer';
  }

  /**
   * A refresh token whose holder died is sent once more, and where the first use had gone through the
   * provider ends the family: so that session may be over, and no other one by a kill (TRUST R22).
   */
  excuse(id: SessionId): void {
    if (this.book.bySid(this.sids.get(id))?.cameTwice === true) this.oracle.ending(id);
  }

  /** Each success is stored as one version more, or lost with the one that asked, and then the last. */
  async judgeVersions(): Promise<void> {
    for (const [id, sid] of this.sids) {
      const family = this.book.bySid(sid);
      const before = family?.renewals ?? 0;
      const text = await this.grounds.admin.hget(gatewayKeyOf(id), 'token_version');
      if (text === null) continue;
      const stored = Number(text) - 1;
      const after = family?.renewals ?? 0;
      if (!(stored >= before - 1 && stored <= after)) {
        this.oracle.wrong.push(`I4 version ${text} after ${String(after)} renewals`);
      }
    }
  }

  /** Once both have come to rest. What was sent again was counted as a retry by the one that lives. */
  async conclude(): Promise<void> {
    this.oracle.wrong.push(...this.book.wrong);
    const retries = (await this.#retries()) - this.#retriesBefore;
    if (this.book.repeats > retries) {
      const [came, said] = [this.book.repeats, retries].map(String);
      this.oracle.wrong.push(`I4 ${came} refresh tokens came again, ${said} of them as retries`);
    }
  }

  #retries(): Promise<number> {
    const sample = 'gateway_refresh_tokens_sent_total{use="retry"}';
    return metric(this.grounds.stack.managementOrigin, sample);
  }
}

/** What is asked of the one that is dead; anything else is a mistake of the test. */
export function isCutOff(error: unknown): undefined {
  const { code = '', message } = error as { code?: string; message: string };
  if (!/^(?:ECONNRESET|ECONNREFUSED|EPIPE)$/.test(code) && !/hang up|aborted/.test(message)) {
    throw error;
  }
  return undefined;
}

export const asCookie = (id: SessionId) => ({
  headers: [['Cookie', `__Host-session=${id}`]] as const,
});
