import type { SessionHandle } from '@sallyport/shared';
import {
  ConfigError,
  Counter,
  Gauge,
  openLineFile,
  type LineFile,
  type Logger,
  type Registry,
} from '@sallyport/shared/runtime';
import type { Config } from './config.js';
import { parseSealKeys } from './config-rules.js';
import type { Events } from './events.js';
import type { IdpRegistration, TokenRevocationRule } from './oidc/idp-registration.js';
import type { SpentSession, TokenRevocations } from './oidc/token-revocations.js';
import type { SealKey } from './sealing/key-ring.js';
import { sealKeyWatch, type SealKeyWatch } from './sealing/seal-key-watch.js';
import type { RefreshDue } from './sessions/refresh-due.js';
import type { EndedSession, SessionEnd } from './sessions/session-lifecycle.js';

/**
 * Where audit events go. SIGHUP opens the file anew, for whoever rotates it. An event that cannot be
 * written is counted and logged, and stops nobody: a full disk must not log everybody out.
 * @throws ConfigError if the file cannot be opened
 */
export function openAuditFile(config: Config, registry: Registry, logger: Logger): LineFile {
  const failures = new Counter({
    name: 'gateway_audit_failures_total',
    help: 'Audit events that could not be written',
    registers: [registry],
  });
  const failed = (error: Error): void => {
    failures.inc();
    const { code } = error as NodeJS.ErrnoException;
    logger.error({ reason: code ?? error.name }, 'an audit event could not be written');
  };
  try {
    const file = openLineFile(config.auditLogFile, failed);
    process.on('SIGHUP', () => {
      file.reopen();
      logger.info('audit log: opened anew');
    });
    return file;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unusable';
    throw new ConfigError([
      `AUDIT_LOG_FILE: the file cannot be opened (${reason}). Check the folder and its mode.`,
    ]);
  }
}

/** The key ring, kept as its file is. */
export function watchedSealKeys(config: Config, registry: Registry, logger: Logger): SealKeyWatch {
  const isBad = new Gauge({
    name: 'gateway_seal_keys_rejected',
    help: '1 while the file of the seal keys is not usable and the last good ring is in force',
    registers: [registry],
  });
  isBad.set(0);
  const inForce = new Gauge({
    name: 'gateway_seal_keys',
    help: 'Keys of the ring in force, by kid: the one that seals, and those that only open',
    labelNames: ['kid', 'use'],
    registers: [registry],
  });
  const show = (keys: readonly SealKey[]): void => {
    inForce.reset();
    keys.forEach(({ kid }, at) => inForce.set({ kid, use: at === 0 ? 'seals' : 'opens' }, 1));
  };
  show(config.sealKeys);
  return sealKeyWatch({
    file: config.sealKeysFile,
    initial: config.sealKeys,
    read: (text) => {
      const { keys, problems } = parseSealKeys(text, config.devInsecure);
      const isShared = config.idps.some(
        ({ clientSecret }) => clientSecret !== undefined && text.includes(clientSecret),
      );
      return isShared
        ? { keys, problems: [...problems, 'holds the client secret.'] }
        : { keys, problems };
    },
    onGood: () => isBad.set(0),
    onReload: (keys) => {
      show(keys);
      const [first, ...others] = keys.map(({ kid }) => kid);
      logger.info({ seals: first, opens: others }, 'seal keys: a new ring is in force');
    },
    onBad: (problems) => {
      isBad.set(1);
      logger.error({ problems }, 'seal keys: the new file is not usable, the old ring stays');
    },
  });
}

/** What follows the end of a session, however it came; nobody waits for it. */
export function endOfSession(parts: {
  readonly spent: Pick<TokenRevocations, 'add'>;
  readonly idps: readonly Pick<IdpRegistration, 'id' | 'revokeTokens'>[];
  readonly due: Pick<RefreshDue, 'forget'>;
  readonly events: Pick<Events, 'revoked'>;
}): {
  byRevocation: (session: SpentSession) => void;
  byLifecycle: (session: EndedSession, how: SessionEnd) => void;
} {
  const { spent, due, events } = parts;
  const rules = new Map(parts.idps.map(({ id, revokeTokens }) => [id, revokeTokens]));
  const forget = (handle: SessionHandle): void => {
    // A hint that is left behind goes when it is due.
    due.forget(handle).catch(() => undefined);
  };
  return {
    byRevocation: (session) => {
      if (rules.get(session.idp) !== 'never') spent.add(session);
      forget(session.handle);
    },
    byLifecycle: (one, how) => {
      const { handle, session } = one;
      const { profile, grants, sealedTokens } = session;
      if (isToBeRevoked(one, how, rules.get(profile.idp))) {
        spent.add({ handle, idp: profile.idp, sealedTokens });
      }
      forget(handle);
      // The routes have told of these.
      if (how === 'closed' || how === 'device') return;
      const { userId } = grants;
      events.revoked({ kind: 'user', cause: how, ended: 1, userId, idp: profile.idp, handle });
    },
  };
}

/**
 * A provider that is given one token of a grant ends the whole grant, and some end all of a person's:
 * whoever logs in twice in a browser has the second session on the grant of the first.
 */
function isToBeRevoked(
  { session, replacedBy }: EndedSession,
  how: SessionEnd,
  rule: TokenRevocationRule | undefined,
): boolean {
  const { idp, sub } = session.profile;
  if (replacedBy?.idp === idp && replacedBy.sub === sub) return false;
  if (rule === 'always') return true;
  return rule === 'logout' && how !== 'session_limit' && how !== 'device';
}
