import { loginTransactionKey } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { z } from 'zod';
import type { SealedPlace, Sealer } from '../sealing/sealer.js';
import { LuaScript } from '../sessions/lua-script.js';
import {
  bindingHash,
  loginLifetimeSeconds,
  type AuthorizationRequest,
} from './authorization-request.js';
import { proofKeySchema } from './proof-key.js';

/**
 * Login transactions. `consume` is exclusive: of any number of callers with the right binding, one
 * gets the transaction. A caller with the wrong binding gets nothing and disturbs nothing.
 */
export interface AuthorizationRequestStore {
  save(state: string, request: AuthorizationRequest): Promise<void>;
  consume(state: string, binding: string): Promise<AuthorizationRequest | undefined>;
  isPending(state: string): Promise<boolean>;
}

const stored = z.object({
  idp: z.string(),
  redirect_uri: z.string(),
  return_url: z.string(),
  seq: z.number(),
  max_age: z.number().optional(),
  /** `nonce`, `code_verifier`, `proof_key`: a copy of Redis must not help to redeem an intercepted code. */
  sealed: z.string(),
});
const secrets = z.object({
  nonce: z.string(),
  code_verifier: z.string(),
  proof_key: proofKeySchema.optional(),
});

const consumeScript = new LuaScript('consume-login');

export class RedisAuthorizationRequestStore implements AuthorizationRequestStore {
  readonly #redis: RedisConnection;
  readonly #sealer: Sealer;

  constructor(redis: RedisConnection, sealer: Sealer) {
    this.#redis = redis;
    this.#sealer = sealer;
  }

  async save(state: string, request: AuthorizationRequest): Promise<void> {
    const key = loginTransactionKey(state);
    const record: z.input<typeof stored> & { binding: string } = {
      idp: request.idp,
      redirect_uri: request.redirectUri,
      return_url: request.returnUrl,
      seq: request.seq,
      binding: request.bindingHash,
      ...(request.maxAge === undefined ? {} : { max_age: request.maxAge }),
      sealed: await this.#sealer.seal(JSON.stringify(secretsOf(request)), placeOf(key)),
    };
    const text = JSON.stringify(record);
    const answer = await this.#redis.set(key, text, 'EX', loginLifetimeSeconds, 'NX');
    if (answer !== 'OK') throw new Error('a state occurred twice');
  }

  async isPending(state: string): Promise<boolean> {
    return (await this.#redis.exists(loginTransactionKey(state))) === 1;
  }

  async consume(state: string, binding: string): Promise<AuthorizationRequest | undefined> {
    const key = loginTransactionKey(state);
    const hash = bindingHash(binding);
    const text = await consumeScript.run(this.#redis, [key], [hash]);
    if (typeof text !== 'string') return undefined;
    const record = stored.parse(JSON.parse(text));
    const opened = await this.#sealer.open(record.sealed, placeOf(key));
    const {
      nonce,
      code_verifier: codeVerifier,
      proof_key: proofKey,
    } = secrets.parse(JSON.parse(opened));
    return {
      idp: record.idp,
      redirectUri: record.redirect_uri,
      returnUrl: record.return_url,
      seq: record.seq,
      nonce,
      codeVerifier,
      bindingHash: hash,
      ...(record.max_age === undefined ? {} : { maxAge: record.max_age }),
      ...(proofKey === undefined ? {} : { proofKey }),
    };
  }
}

function secretsOf({ nonce, codeVerifier, proofKey }: AuthorizationRequest) {
  return { nonce, code_verifier: codeVerifier, proof_key: proofKey };
}

function placeOf(key: string): SealedPlace {
  return [key, 'secrets', '1'];
}
