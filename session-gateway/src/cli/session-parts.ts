import { systemClock, type Clock } from '@sallyport/shared';
import {
  closeRedis,
  connectOrFail,
  createRedis,
  Registry,
  type Logger,
} from '@sallyport/shared/runtime';
import { auditLog } from '../audit/audit-log.js';
import type { Config } from '../config.js';
import { newCorrelation, type Correlation } from '../correlation.js';
import { endOfSession, tokensToRevoke } from '../end-of-session.js';
import { createEvents, type Events } from '../events.js';
import { idpParts } from '../idp-parts.js';
import { createIdpEvents } from '../oidc/idp-events.js';
import { TokenCipher } from '../oidc/token-cipher.js';
import { tokenRevocations } from '../oidc/token-revocations.js';
import { revocationLink } from '../redis-link.js';
import { openAuditFile } from '../running-parts.js';
import { Sealer } from '../sealing/sealer.js';
import { AcknowledgedLink } from '../sessions/acknowledged-link.js';
import { DeviceRef } from '../sessions/device-ref.js';
import { LeftTokens } from '../sessions/left-tokens.js';
import { RedisSessionIndex } from '../sessions/redis-session-index.js';
import { RedisSessionStore } from '../sessions/redis-session-store.js';
import { RefreshDue } from '../sessions/refresh-due.js';
import { Revocations } from '../sessions/revocations.js';
import { SessionLifecycle } from '../sessions/session-lifecycle.js';
import type { SessionLifetimes } from '../sessions/session-store.js';
import { CommandError } from './usage.js';

/** What the commands on sessions work with: the same parts as the running gateway's. */
export interface SessionParts {
  readonly config: Config;
  readonly store: RedisSessionStore;
  readonly due: RefreshDue;
  readonly revocations: Revocations;
  readonly refs: DeviceRef;
  readonly events: Events;
  readonly clock: Clock;
  /** Joins what one command does, in the audit log and at the provider. */
  readonly correlation: Correlation;
  /** With the configured lifetimes, unless others are given. */
  readonly lifecycle: (lifetimes?: SessionLifetimes) => SessionLifecycle;
}

/**
 * Does something with the sessions, and leaves nothing open. Refresh tokens of what it ended are
 * tried to be revoked at the provider before this resolves, each once.
 * @param changes whether what is done has to be audited
 * @throws ConfigError if the audit log cannot be opened; CommandError if Redis does not answer
 */
export async function withSessions<T>(
  { config, logger, changes }: { config: Config; logger: Logger; changes: boolean },
  act: (parts: SessionParts) => Promise<T>,
): Promise<T> {
  const clock = systemClock;
  const registry = new Registry();
  const auditFile = changes ? openAuditFile(config, registry, logger) : undefined;
  const events = createEvents(
    registry,
    logger,
    auditLog((line) => auditFile?.write(line), clock),
  );
  const redis = createRedis(config.redis, { command: config.redisTimeout, connect: 2000 }, logger);
  const link = revocationLink(config, redis, () => config.redis);
  const cipher = new TokenCipher(new Sealer(config.sealKeys));
  const observe = () => () => undefined;
  const { idps } = idpParts({ config, events: createIdpEvents(registry, logger), observe, clock });
  const { keyPrefix: prefix, lifetimes: configured } = config;
  const left = new LeftTokens(redis, { prefix });
  const spent = tokenRevocations({ idps, cipher, registry, logger, left });
  const due = new RefreshDue(redis);
  const ended = endOfSession({ spent, left, idps: config.idps, due, events });
  const store = new RedisSessionStore(redis, { prefix, link, left });
  const index = new RedisSessionIndex(redis, configured.absoluteSeconds);
  const lifecycle = (lifetimes = configured) =>
    new SessionLifecycle({
      ...{ store, index, cipher, lifetimes, keyForm: config.keyForm },
      limit: config.sessionLimit,
      permFreshSeconds: lifetimes.absoluteSeconds,
      tokensToRevoke: (how, replacedBy) => tokensToRevoke(config.idps, how, replacedBy),
      ended: ended.byLifecycle,
    });
  const revocations = new Revocations({
    ...{ redis, link, index, prefix, left },
    tokensToRevoke: tokensToRevoke(config.idps, 'revoked'),
    ended: ended.byRevocation,
  });
  try {
    await connectOrFail(redis, config.redisPatience).catch(unreachable);
    const refs = new DeviceRef(config.sealKeys);
    const correlation = newCorrelation();
    const parts = { config, store, due, revocations, refs, events, clock, correlation, lifecycle };
    return await act(parts);
  } finally {
    await spent.stop();
    if (link instanceof AcknowledgedLink) await link.close();
    await closeRedis(redis);
  }
}

function unreachable(error: Error): never {
  throw new CommandError(
    `${error.message}. Nothing was done. "doctor" says more about what is wrong.`,
    { cause: error },
  );
}
