import { z } from 'zod';
import { proofKeySchema, type ProofKey } from './proof-key.js';

/** What the identity provider gave. It leaves the process only sealed, or back to the provider. */
export interface TokenSet {
  readonly accessToken: string;
  readonly idToken: string;
  readonly refreshToken?: string;
  readonly scope?: string;
  /** When the access token expires, epoch seconds; left out if the provider did not say. */
  readonly expiresAt?: number;
  /** What the tokens are bound to, if they are (DPoP). */
  readonly proofKey?: ProofKey;
}

const schema = z.object({
  accessToken: z.string(),
  idToken: z.string(),
  refreshToken: z.string().optional(),
  scope: z.string().optional(),
  expiresAt: z.number().optional(),
  proofKey: proofKeySchema.optional(),
});

/** Reads what was sealed. Fields of a newer version are left aside. */
export function parseTokenSet(json: string): TokenSet {
  const { accessToken, idToken, refreshToken, scope, expiresAt, proofKey } = schema.parse(
    JSON.parse(json),
  );
  return {
    accessToken,
    idToken,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(scope === undefined ? {} : { scope }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(proofKey === undefined ? {} : { proofKey }),
  };
}
