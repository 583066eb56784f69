import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SieveQueue, type SieveNode } from '../../../extauthz/src/cache/sieve-queue.js';
import { proofSeed } from '../../support/proofs.js';

class Node implements SieveNode<Node> {
  hit = false;
  older: Node | undefined;
  newer: Node | undefined;
}

/** The same as one would write it down: a list, oldest first, and a place in it. */
class PlainSieve {
  readonly nodes: Node[] = [];
  readonly hits = new Set<Node>();
  #hand = 0;

  remove(node: Node): void {
    const at = this.nodes.indexOf(node);
    this.nodes.splice(at, 1);
    this.hits.delete(node);
    if (at < this.#hand) this.#hand -= 1;
    this.#turn();
  }

  next(): Node | undefined {
    for (;;) {
      const node = this.nodes[this.#hand];
      if (node === undefined || !this.hits.delete(node)) return node;
      this.#hand += 1;
      this.#turn();
    }
  }

  /** Behind the newest comes the oldest, whoever is added before the hand moves again. */
  #turn(): void {
    if (this.#hand >= this.nodes.length) this.#hand = 0;
  }
}

describe('SieveQueue', () => {
  it(`names the same as a plain list with a hand (seed ${String(proofSeed)})`, () => {
    const act = fc.tuple(fc.constantFrom('add', 'hit', 'remove', 'evict', 'next'), fc.nat());
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
        const [queue, plain] = [new SieveQueue<Node>(), new PlainSieve()];
        for (const [what, number] of acts) {
          const some = plain.nodes[number % Math.max(1, plain.nodes.length)];
          if (what === 'add') {
            const node = new Node();
            queue.add(node);
            plain.nodes.push(node);
          } else if (what === 'hit' && some !== undefined) {
            some.hit = true;
            plain.hits.add(some);
          } else if (what === 'remove' && some !== undefined) {
            queue.remove(some);
            plain.remove(some);
            expect([some.older, some.newer]).toEqual([undefined, undefined]);
          } else if (what === 'evict' || what === 'next') {
            const named = queue.next();
            expect(named).toBe(plain.next());
            if (what === 'next' || named === undefined) continue;
            queue.remove(named);
            plain.remove(named);
          }
        }
      }),
      { seed: proofSeed, numRuns: 2_000 },
    );
  });

  it('is empty once it is cleared', () => {
    const queue = new SieveQueue<Node>();
    queue.add(new Node());
    queue.next();
    queue.clear();
    expect(queue.next()).toBeUndefined();
    const node = new Node();
    queue.add(node);
    expect(queue.next()).toBe(node);
  });
});
