import type { Session } from '@sallyport/shared';

/** What an upstream is told of a session, prepared once and kept as long as the session is cached. */
export interface Identity {
  /** In the order of `identityHeaders`. */
  readonly values: readonly [userId: string, roles: string, permissions: string];
}

export function identityOf(
  session: Pick<Session, 'userId' | 'roles' | 'permissions'>,
  joiner: { joined(names: readonly string[]): string } = { joined: (names) => names.join(',') },
): Identity {
  return {
    values: [session.userId, joiner.joined(session.roles), joiner.joined(session.permissions)],
  };
}
