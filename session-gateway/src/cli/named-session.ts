import { parseSessionHandle, type SessionHandle } from '@sallyport/shared';
import { auditRef } from '../audit/audit-log.js';
import { orUnavailable } from '../sessions/store-unavailable.js';
import type { SessionParts } from './session-parts.js';
import { CommandError } from './usage.js';

/**
 * The session that a person names: by the reference of its user's list, by its name in the audit log
 * or by its handle. Names cannot be reversed, so all that lives is gone through.
 * @throws CommandError if there is none; what was typed is not repeated, it may be a credential
 */
export async function sessionNamed(
  ref: string,
  { due, store, refs }: Pick<SessionParts, 'due' | 'store' | 'refs'>,
): Promise<SessionHandle> {
  const given = parseSessionHandle(ref);
  const handle =
    given ??
    (await orUnavailable(due.all())).find((one) => refs.names(ref, one) || auditRef(one) === ref);
  // What no version can read is there all the same, and can be ended.
  if (handle !== undefined && (await orUnavailable(store.exists(handle)))) return handle;
  throw new CommandError(
    'There is no session of this name, or it has ended. "session list --user ID" shows those of a user.',
  );
}
