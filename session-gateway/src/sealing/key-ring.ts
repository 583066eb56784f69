/** One key of the ring. */
export interface SealKey {
  readonly kid: string;
  readonly key: Uint8Array;
}

/** The keys in force: the first seals, all open. A function where they may change under way. */
export type KeyRing = readonly SealKey[] | (() => readonly SealKey[]);

/** What is made of the ring, made anew when the ring is another. @throws Error if it is empty */
export function fromRing<T>(
  ring: KeyRing,
  make: (keys: readonly SealKey[], first: SealKey) => T,
): () => T {
  const current = typeof ring === 'function' ? ring : () => ring;
  let keys = current();
  let made = build();
  return () => {
    if (current() !== keys) {
      keys = current();
      made = build();
    }
    return made;
  };

  function build(): T {
    const [first] = keys;
    if (first === undefined) throw new Error('the key ring is empty');
    return make(keys, first);
  }
}
