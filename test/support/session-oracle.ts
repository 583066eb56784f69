import type { SessionId } from '@sallyport/shared';
import { RoleLedger, type Seen } from './role-ledger.js';

export type Lane = 'cookie' | 'bearer';

interface Life {
  readonly id: SessionId;
  readonly userId: string;
  /** The step before which its login was begun, and the one at which its cookie was there. */
  readonly loginBegan: number;
  readonly born: number;
  readonly bornAt: number;
  readonly lane: Lane;
  /** Its absolute end: a browser's twelve hours, or the end of the token it was exchanged for. */
  readonly endsAt: number;
  lastUseAt: number;
  /** Until when it must live, unless something ends it. */
  deadline: number;
  /** From this step on nobody may be let in by it. */
  overFrom: number;
  overBecause: string;
  /** Something may have ended it: nothing says that it must live. */
  mayBeOver: boolean;
  isDamaged: boolean;
}

/** How a session came to be: by a browser that held others, or for a token with an end. */
export interface Birth {
  readonly presented?: readonly (SessionId | undefined)[];
  readonly lane?: Lane;
  readonly expires?: number;
}

const never = Number.POSITIVE_INFINITY;
const absoluteSeconds = 43_200;
const idleSeconds = 1800;
/**
 * What sessions there are and who may be let in, as a plain map that knows nothing of how it is done.
 * It hears of everything before it is asked for and after it is answered, in order; whatever it cannot
 * be sure of it lets pass. Times are in seconds of the schedule.
 */
export class SessionOracle {
  readonly wrong: string[] = [];
  readonly #lives = new Map<SessionId, Life>();
  readonly #roles = new RoleLedger();
  readonly #revocations: { userId: string; began: number; ended: number }[] = [];
  #step = 0;
  /** Allows that were judged. */
  allows = 0;
  /** Of those, by the bearer lane. */
  bearerAllows = 0;
  denials = 0;

  /** The order of things. */
  next(): number {
    this.#step += 1;
    return this.#step;
  }

  ids(): SessionId[] {
    return [...this.#lives.keys()];
  }

  /** Those of which nobody has said that they are over. */
  living(): SessionId[] {
    return [...this.#lives.values()]
      .filter(({ overFrom }) => overFrom === never)
      .map(({ id }) => id);
  }

  userOf(id: SessionId): string {
    return this.#lives.get(id)?.userId ?? '';
  }

  laneOf(id: SessionId): Lane {
    return this.#lives.get(id)?.lane ?? 'cookie';
  }

  /** A cookie was handed out, or the answer of an exchange. */
  born(id: SessionId, userId: string, loginBegan: number, at: number, how: Birth): void {
    const { presented = [], lane = 'cookie', expires: endsAt = at + absoluteSeconds } = how;
    if (this.#lives.has(id) || presented.includes(id)) this.wrong.push(`I7 an id came twice`);
    const life: Life = {
      ...{ id, userId, loginBegan, born: this.next(), bornAt: at, lastUseAt: at, lane, endsAt },
      ...{
        deadline: Math.min(at + idleSeconds, endsAt),
        overFrom: never,
        overBecause: '',
        mayBeOver: false,
        isDamaged: false,
      },
    };
    this.#lives.set(id, life);
    for (const { userId: of, began, ended } of this.#revocations) {
      if (of !== userId || ended < loginBegan) continue;
      life.mayBeOver = true;
      if (loginBegan < began && ended < never) this.#over(life, ended, 'I5 revoked');
    }
  }

  used(id: SessionId, at: number, deadline?: number): void {
    const life = this.#lives.get(id);
    if (life === undefined) return;
    life.lastUseAt = Math.max(life.lastUseAt, at);
    if (deadline === undefined) return;
    if (deadline > life.endsAt + 2)
      this.wrong.push(`${life.lane === 'bearer' ? 'I9' : 'I3'} slid beyond its end`);
    life.deadline = Math.max(life.deadline, deadline);
  }

  /** Somebody began to end it. */
  ending(id: SessionId | undefined): void {
    const life = id === undefined ? undefined : this.#lives.get(id);
    if (life !== undefined) life.mayBeOver = true;
  }

  /** The gateway cannot read it any more, and says that there is none; extauthz can. */
  damaged(id: SessionId): void {
    this.ending(id);
    const life = this.#lives.get(id);
    if (life !== undefined) life.isDamaged = true;
  }

  /** What the gateway says of it at an ordinary request. */
  denied(id: SessionId, because: string): void {
    this.ending(id);
    if (this.#lives.get(id)?.isDamaged !== true) this.over(id, because);
  }

  /** As {@link denied}, where nothing may be taken from anybody but by what was heard of before. */
  refused(id: SessionId, at: number, because: string): void {
    const life = this.#lives.get(id);
    if (life !== undefined) this.#judgeEnd(life, at, because);
    this.over(id, because);
  }

  /** It was said that it is over. */
  over(id: SessionId | undefined, because: string): void {
    const life = id === undefined ? undefined : this.#lives.get(id);
    if (life !== undefined) this.#over(life, this.next(), because);
  }

  /** Nothing is sure any more but what must never happen. */
  doubtAll(): void {
    for (const life of this.#lives.values()) life.mayBeOver = true;
  }

  revoking(userId: string): { answered: () => void } {
    const revocation = { userId, began: this.next(), ended: never };
    this.#revocations.push(revocation);
    for (const life of this.#lives.values()) if (life.userId === userId) life.mayBeOver = true;
    return {
      answered: () => {
        revocation.ended = this.next();
        for (const life of this.#lives.values()) {
          if (life.userId === userId && life.loginBegan < revocation.began) {
            this.#over(life, revocation.ended, 'I5 revoked');
          }
        }
      },
    };
  }

  /** @returns the number of the user's new roles */
  newRoles(userId: string, at: number): number {
    return this.#roles.replaced(userId, at);
  }

  rolesOf(userId: string): number {
    return this.#roles.latest(userId);
  }

  /** They are in force for every session. */
  pushed(userId: string, number: number): void {
    this.#roles.pushed(userId, number, this.next());
  }

  /** @param began the step before the check was sent */
  judge(id: SessionId, began: number, at: number, seen: Seen): void {
    const life = this.#lives.get(id);
    if (life === undefined) {
      if (seen.allowed) this.wrong.push('I1 somebody was let in without a session');
      return;
    }
    if (!seen.allowed) {
      this.denials += 1;
      this.#judgeEnd(life, at, 'a check denied it');
      this.#over(life, this.next(), 'I1 was denied before');
      return;
    }
    this.allows += 1;
    if (began > life.overFrom)
      this.wrong.push(`I1 allowed, although it is over: ${life.overBecause}`);
    if (at > life.lastUseAt + idleSeconds + 2) this.wrong.push('I1 allowed beyond its idle end');
    if (at > life.endsAt + 2) {
      const what =
        life.lane === 'bearer' ? 'I9 allowed beyond its token' : 'I1 allowed beyond its end';
      this.wrong.push(what);
    }
    if (life.lane === 'bearer') this.bearerAllows += 1;
    // Nobody can give it new roles; it can only be ended.
    if (life.isDamaged) return;
    const problem = this.#roles.problem(life.userId, began, at, seen);
    if (problem !== undefined) this.wrong.push(problem);
  }

  #judgeEnd({ mayBeOver, overFrom, deadline, bornAt }: Life, at: number, how: string): void {
    if (mayBeOver || overFrom < never || at >= deadline - 2) return;
    this.wrong.push(`a live session was denied (born ${bornAt}, now ${at}): ${how}`);
  }

  #over(life: Life, from: number, because: string): void {
    if (from < life.overFrom) Object.assign(life, { overFrom: from, overBecause: because });
  }
}
