import { setCookie } from '@sallyport/shared';
import type { SeedCommand } from './command-line.js';
import type { SessionParts } from './session-parts.js';
import { humanTime, say } from './terminal.js';
import { CommandError } from './usage.js';

/**
 * A session that nobody logged in for, for tests and for front ends in the making. It has no tokens,
 * so nothing is refreshed, and its roles stay as they were given for as long as it lives.
 */
export async function seedSession(parts: SessionParts, seed: SeedCommand): Promise<void> {
  const { config, clock, due, events, revocations, correlation } = parts;
  const lifetimes = lifetimesOf(parts, seed);
  const idp = config.idps.find(({ id }) => id === config.defaultIdp);
  if (idp === undefined) throw new CommandError('No identity provider is registered.');
  const { userId, roles, permissions } = seed;
  const { id, handle } = await parts.lifecycle(lifetimes).open(
    {
      profile: { sub: userId, iss: idp.issuer, idp: idp.id },
      tokens: { accessToken: 'none', idToken: 'none' },
    },
    { userId, roles, permissions },
    await revocations.sequence(),
    [],
    { device: { deviceHint: 'session seed' }, correlation },
  );
  const end = clock() / 1000 + lifetimes.absoluteSeconds;
  await due.planIfNone(handle, end);
  const done = { action: 'seed_session', outcome: 'success', cause: 'cli', userId } as const;
  events.adminDone(done, correlation);
  const [cookie = ''] = setCookie(config.cookieName, id, { sameSite: 'Strict' }).split(';', 1);
  say('*** FOR DEVELOPMENT ONLY. Whoever has this cookie is logged in. It is not shown again. ***');
  say(`Cookie: ${cookie}`);
  say(`It ends at ${humanTime(Math.floor(end), clock())}, UTC; earlier if it is idle.`);
}

/** @throws CommandError outside of development */
export function refuseInEarnest({ devInsecure }: { devInsecure: boolean }): void {
  if (devInsecure) return;
  throw new CommandError(
    'session seed lets somebody in who has not logged in: it is refused unless DEV_INSECURE=1 is set, which no production accepts. Nothing was done.',
  );
}

function lifetimesOf({ config }: SessionParts, { ttlSeconds }: SeedCommand) {
  const { idleSeconds, absoluteSeconds } = config.lifetimes;
  const ttl = ttlSeconds ?? absoluteSeconds;
  if (ttl > absoluteSeconds) {
    throw new CommandError(
      `--ttl is longer than SESSION_ABSOLUTE_TTL_SECONDS, ${absoluteSeconds} s. Nothing was done.`,
    );
  }
  return { idleSeconds: Math.min(idleSeconds, ttl), absoluteSeconds: ttl };
}
