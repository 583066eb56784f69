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

/**
 * Login transactions. `consume` is exclusive: of any number of callers with the right binding, one
 * gets the transaction. A caller with the wrong binding gets nothing and disturbs nothing.
 */
export interface AuthorizationRequestStore {
  save(state: string, request: AuthorizationRequest): Promise<void>;
  consume(state: string, binding: string): Promise<AuthorizationRequest | undefined>;
}

const stored = z.object({
  idp: z.string(),
  redirect_uri: z.string(),
  return_url: z.string(),
  seq: z.number(),
  max_age: z.number().optional(),
  /** `nonce` and `code_verifier`: a copy of Redis must not help to redeem an intercepted code. */
  sealed: z.string(),
});
const secrets = z.object({ nonce: z.string(), code_verifier: z.string() });

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
      ...(request.maxAge === undefined ? {} : { max_age: request.maxAge }),
      binding: request.bindingHash,
      sealed: await this.#sealer.seal(
        JSON.stringify({ nonce: request.nonce, code_verifier: request.codeVerifier }),
        placeOf(key),
      ),
    };
    const text = JSON.stringify(record);
    const answer = await this.#redis.set(key, text, 'EX', loginLifetimeSeconds, 'NX');
    if (answer !== 'OK') throw new Error('a state occurred twice');
  }

  async consume(state: string, binding: string): Promise<AuthorizationRequest | undefined> {
    const key = loginTransactionKey(state);
    const hash = bindingHash(binding);
    const text = await consumeScript.run(this.#redis, [key], [hash]);
    if (typeof text !== 'string') return undefined;
    const record = stored.parse(JSON.parse(text));
    const opened = await this.#sealer.open(record.sealed, placeOf(key));
    const { nonce, code_verifier: codeVerifier } = secrets.parse(JSON.parse(opened));
    return {
      idp: record.idp,
      redirectUri: record.redirect_uri,
      returnUrl: record.return_url,
      seq: record.seq,
      ...(record.max_age === undefined ? {} : { maxAge: record.max_age }),
      nonce,
      codeVerifier,
      bindingHash: hash,
    };
  }
}

function placeOf(key: string): SealedPlace {
  return [key, 'secrets', '1'];
}
