/** A call whose time may be up. */
export interface TimedCall {
  /** Monotonic, ms. */
  readonly begun: number;
  giveUp(): void;
}

/**
 * Calls that have not ended: each is told once its time is up, and again and again while it goes on. One
 * timer for all of them: a timer each would cost what a rule does.
 */
export class CallDeadlines {
  /** In the order in which they began. */
  readonly #calls = new Set<TimedCall>();
  readonly #sweep: NodeJS.Timeout;

  /**
   * @param patience from a call's begin to its end, ms
   * @param interval between two looks, ms
   */
  constructor(patience: number, interval: number) {
    this.#sweep = setInterval(() => {
      const oldest = performance.now() - patience;
      for (const call of this.#calls) {
        if (call.begun > oldest) break;
        call.giveUp();
      }
    }, interval).unref();
  }

  add(call: TimedCall): void {
    this.#calls.add(call);
  }

  delete(call: TimedCall): void {
    this.#calls.delete(call);
  }

  stop(): void {
    clearInterval(this.#sweep);
  }
}
