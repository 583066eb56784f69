import type { Clock } from '@sallyport/shared';
import { customFetch, type Configuration, type ServerMetadata } from 'openid-client';
import { discover, type Discovered } from './discovery.js';
import { endpointOf } from './endpoint-of.js';
import type { IdentityProviderError } from './identity-provider-error.js';
import type { IdpEvents } from './idp-events.js';
import type { IdpFetch } from './idp-fetch.js';
import type { IdpRegistration } from './idp-registration.js';
import { KeySet } from './key-set.js';
import { verificationFor, type Verification } from './signature.js';
import { acceptedAlgorithms, misfits } from './suitability.js';
import { verifiedUserInfo } from './signed-user-info.js';

/** How long after a failure the next caller is told the same instead of trying again, ms. */
const backOff = 1000;
/** While there is no document yet, the timer asks so often, ms. */
const retryEvery = 10_000;

/** A provider as its own documents describe it. */
export interface DescribedProvider {
  readonly configuration: Configuration;
  /** What {@link configuration} calls the provider with. */
  readonly fetch: IdpFetch;
  readonly metadata: ServerMetadata;
  readonly verification: Verification;
  readonly keys: KeySet | undefined;
}

export interface ProviderMetadataOptions {
  readonly registration: IdpRegistration;
  readonly clock: Clock;
  readonly events: IdpEvents;
  /** For its documents, which anybody may read. */
  readonly fetch: IdpFetch;
  /** For calls in which the registration proves who it is, or asks for what is its own; ends them in time. */
  readonly provingFetch: IdpFetch;
  /** How old the document may become, ms. */
  readonly rereadEvery: number;
}

/**
 * One provider's metadata and keys: read when first needed, kept, read again by a timer. A provider that
 * fails, or a document that no longer fits, changes nothing while there is one that did.
 */
export class ProviderMetadata {
  readonly #options: ProviderMetadataOptions;
  #current: DescribedProvider | undefined;
  #reading: Promise<DescribedProvider> | undefined;
  #failure: { readonly at: number; readonly error: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ProviderMetadataOptions) {
    this.#options = options;
  }

  /** @throws IdentityProviderError */
  async current(): Promise<DescribedProvider> {
    if (this.#current !== undefined) return this.#current;
    const { clock } = this.#options;
    // A down provider is not hammered by logins.
    if (this.#failure !== undefined && clock() - this.#failure.at < backOff) {
      throw this.#failure.error;
    }
    return this.#read();
  }

  /** What the document in use says against the registration being so. */
  objections(registration: IdpRegistration): readonly string[] {
    if (this.#current === undefined) return [];
    return misfits(registration, this.#current.metadata).map(({ sentence }) => sentence);
  }

  /** Reads now, and from now on by the timer. @throws IdentityProviderError of the first read */
  async start(): Promise<void> {
    try {
      await this.current();
    } finally {
      this.#schedule();
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const { rereadEvery } = this.#options;
    const wait = this.#current === undefined ? Math.min(retryEvery, rereadEvery) : rereadEvery;
    // Up to a fifth earlier: not every replica at the same moment.
    const jittered = wait * (1 - Math.random() / 5);
    this.#timer = setTimeout(() => {
      void this.#read()
        .catch(() => undefined)
        .finally(() => this.#schedule());
    }, jittered).unref();
  }

  /** One read at a time, whoever asks. */
  #read(): Promise<DescribedProvider> {
    this.#reading ??= this.#describe().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #describe(): Promise<DescribedProvider> {
    const { registration, clock, events, fetch } = this.#options;
    let found: Discovered;
    try {
      found = await discover(registration, fetch);
    } catch (error) {
      this.#failure = { at: clock(), error };
      const outcome = this.#current === undefined ? 'failed' : 'kept';
      events.metadataRead(registration.id, outcome, error as IdentityProviderError);
      throw error;
    }
    const isFirst = this.#current === undefined;
    this.#current = this.#withKeys(found);
    this.#failure = undefined;
    events.metadataRead(registration.id, isFirst ? 'first' : 'read');
    return this.#current;
  }

  #withKeys({ configuration, metadata }: Discovered): DescribedProvider {
    const { registration, provingFetch } = this.#options;
    const keys = this.#keySet(metadata.jwks_uri);
    const algorithms = acceptedAlgorithms(registration, metadata);
    const verification = verificationFor(registration, algorithms, keys);
    const userInfo = endpointOf(registration, metadata, 'userinfo_endpoint');
    const fetch = verifiedUserInfo(provingFetch, userInfo, verification);
    configuration[customFetch] = fetch;
    // The fetch has a time of its own: an AbortSignal for each call costs many times a timer.
    configuration.timeout = 0;
    return { configuration, fetch, metadata, verification, keys };
  }

  /** The same one while its address stays: its cool-downs must survive a new document. */
  #keySet(url: string | undefined): KeySet | undefined {
    const { registration, clock, events, fetch } = this.#options;
    if (url === undefined) return undefined;
    const known = this.#current?.keys;
    if (known?.url === url) return known;
    return new KeySet({
      url,
      fetch,
      timeout: registration.timeout,
      clock,
      onFetch: (outcome) => events.keysFetched(registration.id, outcome),
    });
  }
}
