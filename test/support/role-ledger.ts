/** What a check saw: who was let in with which version of their roles, or that nobody was. */
export interface Seen {
  readonly allowed: boolean;
  readonly userId?: string;
  readonly roles?: readonly string[];
  readonly permissions?: readonly string[];
}

interface RoleVersion {
  readonly number: number;
  replacedAt: number;
}

const never = Number.POSITIVE_INFINITY;
/** How old roles may be at most (DESIGN §4), and how far apart a schedule's looks at them are. */
const staleSeconds = 900 + 180;

/** Which roles everybody had when: the part of the model that judges what a check hands over (I2). */
export class RoleLedger {
  readonly #versions = new Map<string, RoleVersion[]>();
  readonly #pushed = new Map<string, { number: number; step: number }[]>();

  /** @returns the number of the user's new roles */
  replaced(userId: string, at: number): number {
    const versions = this.#versionsOf(userId);
    const last = versions.at(-1);
    if (last !== undefined) last.replacedAt = at;
    versions.push({ number: versions.length, replacedAt: never });
    return versions.length - 1;
  }

  latest(userId: string): number {
    return this.#versionsOf(userId).length - 1;
  }

  pushed(userId: string, number: number, step: number): void {
    const list = this.#pushed.get(userId) ?? [];
    list.push({ number, step });
    this.#pushed.set(userId, list);
  }

  /** @param began the step before the check was sent */
  problem(userId: string, began: number, at: number, seen: Seen): string | undefined {
    const text = [...(seen.roles ?? []), ...(seen.permissions ?? [])].join(' ');
    const [, user, role, permission] = /^(\S+)\.r(\d+) \1\.p(\d+)$/.exec(text) ?? [];
    if (seen.userId !== userId || user !== userId || role !== permission) {
      return `I2 a mix: ${userId} was let in as ${String(seen.userId)} ${text}`;
    }
    const number = Number(role);
    const replacedAt = this.#versionsOf(userId)[number]?.replacedAt ?? 0;
    if (replacedAt < at - staleSeconds) {
      return `I2 roles that were replaced ${String(at - replacedAt)} s ago`;
    }
    const pushes = this.#pushed.get(userId) ?? [];
    const latest = pushes.filter(({ step }) => step < began).at(-1)?.number ?? 0;
    return number < latest
      ? `I2 roles ${String(number)} after ${String(latest)} were pushed`
      : undefined;
  }

  #versionsOf(userId: string): RoleVersion[] {
    const versions = this.#versions.get(userId) ?? [{ number: 0, replacedAt: never }];
    this.#versions.set(userId, versions);
    return versions;
  }
}
