import type { IdentityProvider } from '../../session-gateway/src/oidc/identity-provider.js';
import { IdentityProviderError } from '../../session-gateway/src/oidc/identity-provider-error.js';
import type { TokenSet } from '../../session-gateway/src/oidc/token-set.js';
import type { Turns } from './turns.js';

export const modelIssuer = 'https://idp.example';

/** What befalls the next refresh: nothing, no answer although it was done, an error before it. */
export type RefreshFault = 'none' | 'lost' | 'refused-connection' | 'server-error';

interface Family {
  readonly sid: string;
  current: string;
  revoked: boolean;
}

/**
 * A provider whose every step can be held up, so that anything may come in between; it rotates refresh
 * tokens and takes a second use for a theft. That the gateway speaks OpenID Connect is shown elsewhere,
 * with a real one.
 */
export class ModelIdp {
  readonly #turns: Turns;
  readonly #families = new Map<string, Family>();
  #number = 0;
  /** How often each refresh token was sent, and each state completed. */
  readonly sent = new Map<string, number>();
  readonly completed = new Map<string, number>();
  /** How often a token was sent of which the gateway cannot know what became of it. */
  readonly unanswered = new Map<string, number>();
  nextFault: RefreshFault = 'none';
  seconds = 600;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  #leaveUnanswered(token: string): void {
    this.unanswered.set(token, (this.unanswered.get(token) ?? 0) + 1);
  }

  /** The sessions here whose family was revoked. */
  isRevoked(sid: string): boolean {
    return [...this.#families.values()].some((family) => family.sid === sid && family.revoked);
  }

  currentOf(sid: string): string | undefined {
    return [...this.#families.values()].find((family) => family.sid === sid)?.current;
  }

  /** As the gateway's own class. */
  asProvider(): IdentityProvider {
    const tokens = (refreshToken: string): TokenSet => ({
      accessToken: `access-of-${refreshToken}`,
      idToken: `id-of-${refreshToken}`,
      refreshToken,
      expiresAt: Math.floor(Date.now() / 1000) + this.seconds,
    });
    // All of it: a method that the gateway's class gains must come here too, or this does not compile.
    const provider: { [Member in keyof IdentityProvider]: unknown } = {
      id: 'idp',
      callbackPath: '/login/oauth2/code/idp',
      isAddressed: ({ iss }: { iss: string }) => iss === modelIssuer,
      renewCredentials: () => [],
      newProofKey: () => Promise.resolve({}),
      prepare: () => Promise.resolve(),
      begin: (_: unknown, state: string) =>
        Promise.resolve(`${modelIssuer}/auth?state=${encodeURIComponent(state)}`),
      complete: async (_: unknown, state: string, query: URLSearchParams) => {
        await this.#turn();
        this.completed.set(state, (this.completed.get(state) ?? 0) + 1);
        const sub = query.get('code') ?? '';
        const family = { sid: this.#new('sid'), current: this.#new('token'), revoked: false };
        this.#families.set(family.current, family);
        await this.#turn();
        return {
          profile: { sub, iss: modelIssuer, idp: 'idp', sid: family.sid },
          tokens: tokens(family.current),
        };
      },
      refresh: async (token: string) => {
        this.sent.set(token, (this.sent.get(token) ?? 0) + 1);
        const fault = this.nextFault;
        this.nextFault = 'none';
        await this.#turn();
        if (fault === 'refused-connection') {
          this.sent.set(token, (this.sent.get(token) ?? 0) - 1);
          throw unreachable('ECONNREFUSED');
        }
        if (fault === 'server-error') {
          this.#leaveUnanswered(token);
          throw unreachable('UND_ERR_SOCKET');
        }
        const family = this.#families.get(token);
        if (family === undefined || family.revoked || family.current !== token) {
          if (family !== undefined) family.revoked = true;
          await this.#turn();
          throw new IdentityProviderError('login_refused', 'invalid_grant');
        }
        family.current = this.#new('token');
        this.#families.set(family.current, family);
        await this.#turn();
        if (fault === 'lost') {
          this.#leaveUnanswered(token);
          throw unreachable('UND_ERR_HEADERS_TIMEOUT');
        }
        return tokens(family.current);
      },
      revoke: async (token: string) => {
        await this.#turn();
        const family = this.#families.get(token);
        if (family !== undefined) family.revoked = true;
      },
      endSession: () => Promise.resolve(`${modelIssuer}/end`),
      verifyLogoutToken: (text: string) => Promise.resolve(parseLogoutToken(text)),
    };
    return provider as unknown as IdentityProvider;
  }

  #turn(): Promise<void> {
    return this.#turns.pass(() => Promise.resolve());
  }

  #new(what: string): string {
    this.#number += 1;
    return `${what}-${String(this.#number)}`;
  }
}

/** Only its claims matter here; it looks like a JWT so that its issuer can be read. */
export function modelLogoutToken(claims: { jti: string; sid?: string; sub?: string }): string {
  const body = Buffer.from(JSON.stringify({ iss: modelIssuer, ...claims })).toString('base64url');
  return `eyJhbGciOiJub25lIn0.${body}.signature`;
}

function parseLogoutToken(text: string): unknown {
  return JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
}

function unreachable(code: string): IdentityProviderError {
  const cause = Object.assign(new Error(code), { code });
  return new IdentityProviderError('idp_unreachable', 'network', { cause });
}
