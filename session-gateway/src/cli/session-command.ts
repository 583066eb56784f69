import type { Logger } from '@sallyport/shared/runtime';
import type { Config } from '../config.js';
import type { SessionCommand } from './command-line.js';
import { withSessions, type SessionParts } from './session-parts.js';
import { listSessions, showSession } from './session-reading.js';
import { flushSessions, revokeSession, revokeUser } from './session-revoking.js';
import { refuseInEarnest, seedSession } from './session-seeding.js';
import { CommandError } from './usage.js';

/** @throws CommandError, with what to do */
export async function sessionCommand(
  command: SessionCommand,
  config: Config,
  logger: Logger,
): Promise<void> {
  if (command.verb === 'seed') refuseInEarnest(config);
  const changes = command.verb !== 'list' && command.verb !== 'show';
  try {
    await withSessions({ config, logger, changes }, (parts) => run(command, parts));
  } catch (error) {
    throw forPeople(error);
  }
}

function run(command: SessionCommand, parts: SessionParts): Promise<void> {
  switch (command.verb) {
    case 'list':
      return listSessions(parts, command);
    case 'show':
      return showSession(parts, command);
    case 'revoke':
      return 'ref' in command.whose
        ? revokeSession(parts, command.whose.ref)
        : revokeUser(parts, command.whose.userId);
    case 'flush':
      return flushSessions(parts, command.yes);
    case 'seed':
      return seedSession(parts, command);
  }
}

function forPeople(error: unknown): unknown {
  const { code, detail } = error as { code?: unknown; detail?: string };
  if (code !== 'store_unavailable') return error;
  return new CommandError(
    `Redis did not do it (${detail ?? 'no_answer'}): perhaps only a part is done. Look with "doctor", then run the command again; it may be repeated.`,
    { cause: error },
  );
}
