import type { SessionHandle, SessionOwner } from '@sallyport/shared';
import type { SessionIndex } from './session-index.js';
import type { SessionStore, StoredSession } from './session-store.js';

export interface LiveSession {
  readonly handle: SessionHandle;
  readonly session: StoredSession;
}

const chunk = 100;

/**
 * The living sessions of an owner. Ghosts are taken out of its index, never counted (ATTACKS 11). A
 * ghost has no records: one whose records this version cannot read may be alive for the reader, and
 * no revocation would find it any more.
 */
export async function sessionsOf(
  owner: SessionOwner,
  index: SessionIndex,
  store: Pick<SessionStore, 'exists' | 'find'>,
): Promise<LiveSession[]> {
  const entries = await index.page(owner, 0, -1);
  const live: LiveSession[] = [];
  const ghosts: SessionHandle[] = [];
  for (let at = 0; at < entries.length; at += chunk) {
    await Promise.all(
      entries.slice(at, at + chunk).map(async ({ handle, settled }) => {
        const session = await store.find(handle);
        if (session !== undefined) live.push({ handle, session });
        else if (settled && !(await store.exists(handle))) ghosts.push(handle);
      }),
    );
  }
  await index.leave([owner], ghosts);
  return live;
}
