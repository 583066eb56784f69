import type { Session } from '@sallyport/shared';
import type { NewSession } from '../../session-gateway/src/sessions/session-store.js';

/** What the edge knows of a session; only the differing fields stand in a test. */
export function aSession(overrides: Partial<Session> = {}): Session {
  return {
    userId: 'user-1',
    roles: ['admin', 'editor'],
    permissions: ['orders:read', 'orders:write'],
    createdAt: 1_800_000_000,
    expiresAt: 1_800_001_800,
    kind: 'browser',
    permVersion: 1,
    ...overrides,
  };
}

/** What a login brings. */
export function aNewSession(overrides: Partial<NewSession> = {}): NewSession {
  return {
    profile: {
      sub: 'subject-1',
      iss: 'https://idp.example',
      idp: 'idp',
      sid: 'provider-session-1',
      email: 'ada@example.org',
      emailVerified: true,
      name: 'Ada Lovelace',
      picture: 'https://idp.example/ada.png',
      acr: 'urn:mace:incommon:iap:silver',
      authTime: 1_800_000_000,
    },
    grants: {
      userId: 'user-1',
      roles: ['admin', 'editor'],
      permissions: ['orders:read', 'orders:write'],
    },
    kind: 'browser',
    sealedTokens: 'sealed.tokens.of-the-session',
    tokenExpiresAt: 1_800_000_300,
    seq: 7,
    deviceHint: 'Firefox on Linux',
    ipPrefix: '192.0.2.0/24',
    ...overrides,
  };
}
