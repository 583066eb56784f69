import type { Clock } from '@sallyport/shared';
import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
  type LocalJWKSet,
} from 'jose';
import { IdentityProviderError } from './identity-provider-error.js';
import type { IdpFetch } from './idp-fetch.js';

/** After this a key set is read again when it is next needed: a key may have been withdrawn. */
const maxAge = 600_000;
/** Strangers make up key ids; they get one fetch per this time, whatever they do (TRUST T14). */
const unknownKeyCoolDown = 30_000;
/** After a fetch that failed. Shorter: it is the provider's fault, and logins wait for it. */
const failureCoolDown = 5000;

export interface KeySetOptions {
  readonly url: string;
  readonly fetch: IdpFetch;
  /** How long a fetch may take, ms. */
  readonly timeout: number;
  readonly clock: Clock;
  /** Told after each fetch. */
  readonly onFetch: (outcome: 'read' | 'failed') => void;
}

/**
 * A provider's published keys (RFC 7517), for its ID tokens and its logout tokens alike. Fetched when
 * needed, once for all who wait. A key id it lacks is looked for at once, so that a rotation costs no
 * login, but not again within the cool-down. While the provider fails, old keys go on.
 */
export class KeySet {
  readonly url: string;
  readonly #options: KeySetOptions;
  #keys: LocalJWKSet | undefined;
  #readAt = 0;
  #fetching: Promise<void> | undefined;
  #failure: { readonly at: number; readonly error: Error } | undefined;
  #soughtAt: number | undefined;

  constructor(options: KeySetOptions) {
    this.url = options.url;
    this.#options = options;
  }

  /** Has keys at hand, so that verifying waits for nothing unless the key is new. @throws IdentityProviderError */
  async prepare(): Promise<void> {
    if (this.#keys === undefined) await this.#fetch();
    else if (this.#options.clock() - this.#readAt >= maxAge) {
      await this.#fetch().catch(() => undefined);
    }
  }

  /**
   * The key that a token names, as jose asks for it.
   * @throws JOSEError where the provider has no such key
   * @throws IdentityProviderError `idp_unreachable` where that cannot be known now
   */
  async keyOf(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    await this.prepare();
    try {
      return await this.#local(header, token);
    } catch (error) {
      if ((error as { code?: unknown }).code !== errors.JWKSNoMatchingKey.code) throw error;
    }
    await this.#seek();
    return this.#local(header, token);
  }

  #local(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (this.#keys === undefined) throw new IdentityProviderError('idp_unreachable', 'keys');
    return this.#keys(header, token);
  }

  /** For a key that is not among ours. */
  async #seek(): Promise<void> {
    const now = this.#options.clock();
    const isCooling = this.#soughtAt !== undefined && now - this.#soughtAt < unknownKeyCoolDown;
    if (isCooling && this.#fetching === undefined) {
      throw new IdentityProviderError('idp_unreachable', 'unknown_key');
    }
    if (!isCooling) this.#soughtAt = now;
    await this.#fetch();
  }

  #fetch(): Promise<void> {
    const { clock, onFetch } = this.#options;
    if (this.#failure !== undefined && clock() - this.#failure.at < failureCoolDown) {
      return Promise.reject(this.#failure.error);
    }
    this.#fetching ??= fetchKeySet(this.#options)
      .then(
        (keys) => {
          this.#keys = createLocalJWKSet(keys);
          this.#readAt = clock();
          this.#failure = undefined;
          onFetch('read');
        },
        (error: unknown) => {
          this.#failure = { at: clock(), error: error as Error };
          // Nothing was found out: who looked for a key may look again after the shorter cool-down.
          this.#soughtAt = undefined;
          onFetch('failed');
          throw error;
        },
      )
      .finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }
}

/** @throws IdentityProviderError `idp_unreachable` */
async function fetchKeySet({ url, fetch, timeout }: KeySetOptions): Promise<JSONWebKeySet> {
  const response = await fetch(url, {
    headers: { accept: 'application/json, application/jwk-set+json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeout),
  });
  if (response.status !== 200) {
    throw new IdentityProviderError('idp_unreachable', `keys_http_${String(response.status)}`);
  }
  const body: unknown = await response.json().catch(() => undefined);
  const { keys } = (body ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null)) {
    throw new IdentityProviderError('idp_unreachable', 'no_key_set');
  }
  return { keys: keys as JSONWebKeySet['keys'] };
}
