import { ask, type Asker } from '../load/asker.js';
import { pause } from '../poll.js';

/** Published (DESIGN §3): no allow is sent out later than this after a revocation. */
export const boundMs = 1_000;

export interface Trial {
  /** From sending the DEL to the first 401; infinite if there was none. */
  readonly latency: number;
  /** Answers before it that were neither an allow nor a 401: "cannot know" denies nothing for good. */
  readonly unknown: number;
  /** From sending the DEL to the last allow's answer; 0 if there was none. */
  readonly lastAllow: number;
  /** Allows to checks that were sent later than the bound after Redis had confirmed the DEL. */
  readonly allowsAfterBound: number;
  /** Allows after the first 401: the session came back to life. */
  readonly allowsAfterDeny: number;
}

const checksAfterDeny = 5;
const patience = 5_000;

/**
 * Asks for one session without a break while it is revoked, until the first 401 and a little longer.
 * @param revoke resolves when Redis has confirmed it
 * @param pauseMs between two checks; 0 asks again at once
 */
export async function trial(
  asker: Asker,
  id: string,
  revoke: () => Promise<unknown>,
  pauseMs: number,
): Promise<Trial> {
  const sent = performance.now();
  let confirmed = Number.POSITIVE_INFINITY;
  const revoked = revoke().then(() => (confirmed = performance.now()));
  let denied: number | undefined;
  let [unknown, lastAllow, allowsAfterBound, allowsAfterDeny] = [0, 0, 0, 0];
  for (let after = 0; after < checksAfterDeny && performance.now() < sent + patience;) {
    const asked = performance.now();
    const { status } = await ask(asker, id);
    if (status === 200) {
      lastAllow = performance.now() - sent;
      if (denied !== undefined) allowsAfterDeny += 1;
      if (asked > confirmed + boundMs) allowsAfterBound += 1;
    } else if (status === 401) denied ??= performance.now();
    else if (denied === undefined) unknown += 1;
    if (denied !== undefined) after += 1;
    if (pauseMs > 0) await pause(pauseMs);
  }
  await revoked;
  return {
    latency: denied === undefined ? Number.POSITIVE_INFINITY : denied - sent,
    unknown,
    lastAllow,
    allowsAfterBound,
    allowsAfterDeny,
  };
}
