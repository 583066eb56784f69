import { ask, type Asker } from '../load/asker.js';
import { pause } from '../poll.js';

/** Published (DESIGN §3): no allow is sent out later than this after a revocation. */
export const boundMs = 1_000;

export interface Trial {
  /** From sending the DEL to the first answer that was no allow; infinite if there was none. */
  readonly latency: number;
  readonly firstDeny: number;
  /** Allows to checks that were sent later than the bound after Redis had confirmed the DEL. */
  readonly allowsAfterBound: number;
  /** Allows after the first denial: the session came back to life. */
  readonly allowsAfterDeny: number;
}

const checksAfterDeny = 5;
const patience = 5_000;

/**
 * Asks for one session without a break while it is revoked, until it is denied and a little longer.
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
  let denied: { readonly at: number; readonly status: number } | undefined;
  let allowsAfterBound = 0;
  let allowsAfterDeny = 0;
  for (let after = 0; after < checksAfterDeny && performance.now() < sent + patience;) {
    const asked = performance.now();
    const { status } = await ask(asker, id);
    if (status !== 200) denied ??= { at: performance.now(), status };
    else if (denied !== undefined) allowsAfterDeny += 1;
    if (status === 200 && asked > confirmed + boundMs) allowsAfterBound += 1;
    if (denied !== undefined) after += 1;
    if (pauseMs > 0) await pause(pauseMs);
  }
  await revoked;
  return {
    latency: denied === undefined ? Number.POSITIVE_INFINITY : denied.at - sent,
    firstDeny: denied?.status ?? 200,
    allowsAfterBound,
    allowsAfterDeny,
  };
}
