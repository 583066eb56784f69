/**
 * Proofs by many generated cases have two lengths: short in every test run, long for
 * `npm run figures` (PROOF_LENGTH=long). PROOF_SEED repeats a run.
 */
export const isLong = process.env['PROOF_LENGTH'] === 'long';
export const cases = (short: number, long: number): number => (isLong ? long : short);
export const proofSeed = Number(process.env['PROOF_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** A repeatable source of choices (mulberry32). */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ result < bound */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  one<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** True once in `n` times. */
  rarely(n: number): boolean {
    return this.below(n) === 0;
  }

  many<T>(max: number, make: () => T): T[] {
    return Array.from({ length: this.below(max + 1) }, make);
  }

  text(max: number): string {
    const alphabet = this.rarely(4) ? 'aé€😀\u0000,;= "' : 'abcXYZ019-_/;=., %';
    const letters = Array.from(alphabet);
    return this.many(max, () => this.one(letters)).join('');
  }

  bytes(max: number): Buffer {
    return Buffer.from(this.many(max, () => this.below(256)));
  }
}
