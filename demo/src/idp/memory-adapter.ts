import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';

interface Entry {
  readonly payload: AdapterPayload;
  readonly expiresAt: number;
}

/**
 * Everything the provider knows, in one map. Its own in-memory adapter forgets the oldest of 1000
 * entries, so the thousand-and-first login would quietly end the first person's refreshes.
 */
export function createMemoryAdapter(): AdapterFactory {
  const entries = new Map<string, Entry>();
  setInterval(() => forgetExpired(entries), 60_000).unref();
  return (model) => new MemoryAdapter(model, entries);
}

function forgetExpired(entries: Map<string, Entry>): void {
  for (const [key, { expiresAt }] of entries) {
    if (expiresAt <= Date.now()) entries.delete(key);
  }
}

class MemoryAdapter implements Adapter {
  readonly #model: string;
  readonly #entries: Map<string, Entry>;

  constructor(model: string, entries: Map<string, Entry>) {
    this.#model = model;
    this.#entries = entries;
  }

  upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<undefined> {
    const expiresAt = Number.isFinite(expiresIn) ? Date.now() + expiresIn * 1000 : Infinity;
    this.#entries.set(this.#key(id), { payload, expiresAt });
    return Promise.resolve(undefined);
  }

  find(id: string): Promise<AdapterPayload | undefined> {
    const entry = this.#entries.get(this.#key(id));
    return Promise.resolve(
      entry === undefined || entry.expiresAt <= Date.now() ? undefined : entry.payload,
    );
  }

  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return Promise.resolve(this.#search((payload) => payload.uid === uid));
  }

  findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return Promise.resolve(this.#search((payload) => payload.userCode === userCode));
  }

  consume(id: string): Promise<undefined> {
    const entry = this.#entries.get(this.#key(id));
    if (entry !== undefined) entry.payload.consumed = Math.floor(Date.now() / 1000);
    return Promise.resolve(undefined);
  }

  destroy(id: string): Promise<undefined> {
    this.#entries.delete(this.#key(id));
    return Promise.resolve(undefined);
  }

  revokeByGrantId(grantId: string): Promise<undefined> {
    for (const [key, { payload }] of this.#entries) {
      if (payload.grantId === grantId && key.startsWith(`${this.#model}:`)) {
        this.#entries.delete(key);
      }
    }
    return Promise.resolve(undefined);
  }

  #key(id: string): string {
    return `${this.#model}:${id}`;
  }

  #search(matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined {
    for (const [key, { payload, expiresAt }] of this.#entries) {
      const found = key.startsWith(`${this.#model}:`) && matches(payload);
      if (found && expiresAt > Date.now()) return payload;
    }
    return undefined;
  }
}
