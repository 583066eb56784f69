import { randomFillSync } from 'node:crypto';

const stock = Buffer.allocUnsafeSlow(4096);
let used = stock.length;

/**
 * Bytes from the system's CSPRNG, each given out once. A call of it costs several times the bytes it
 * brings, and a login needs eight, so they are taken from a stock, as Node's own randomUUID does; what
 * is given out is wiped there.
 */
export function freshBytes(size: number): Buffer {
  if (size > stock.length) return randomFillSync(Buffer.allocUnsafeSlow(size));
  if (used + size > stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  const taken = stock.subarray(used, used + size);
  used += size;
  const bytes = Buffer.from(taken);
  taken.fill(0);
  return bytes;
}
