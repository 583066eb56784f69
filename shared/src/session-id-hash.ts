/* eslint-disable @typescript-eslint/no-non-null-assertion -- every index is within its typed array's bounds; a default would be a branch per read */
/**
 * SHA-256 (FIPS 180-4) of a session id, in base64url. The edge does it once per check, and there
 * node:crypto costs 3 to 13 µs: its way through OpenSSL is long, and cold after every system call.
 * An id is always 43 ASCII characters, which is one block, and that is all this function can do.
 * Equal to node:crypto over 20,000 ids in test/unit/shared/session-id-hash.test.ts.
 */
export function sessionIdHash(id: string): string {
  load(id);
  expand();
  compress();
  return digestText();
}

const idLength = 43;
const blockWords = 16;
const rounds = 64;

/** §4.2.2 and §5.3.3: the first 32 bits of the fractions of the cube and square roots of primes. */
const primes = firstPrimes(rounds);
const roundConstants = Int32Array.from(primes, (prime) => fractionBits(Math.cbrt(prime)));
const initial = Int32Array.from(primes.slice(0, 8), (prime) => fractionBits(Math.sqrt(prime)));

// Scratch of one call: nothing here yields, so nothing is shared.
const schedule = new Int32Array(rounds);
const digest = new Int32Array(initial.length);
const text = Buffer.alloc(idLength);
const alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** The padded block, §5.1.1: the id, one bit, zeros, the length in bits. */
function load(id: string): void {
  for (let word = 0; word < 10; word += 1) {
    const at = word * 4;
    schedule[word] =
      (id.charCodeAt(at) << 24) |
      (id.charCodeAt(at + 1) << 16) |
      (id.charCodeAt(at + 2) << 8) |
      id.charCodeAt(at + 3);
  }
  schedule[10] =
    (id.charCodeAt(40) << 24) | (id.charCodeAt(41) << 16) | (id.charCodeAt(42) << 8) | 0x80;
  schedule.fill(0, 11, blockWords - 1);
  schedule[blockWords - 1] = idLength * 8;
}

/** §6.2.2, step 1. */
function expand(): void {
  for (let at = blockWords; at < rounds; at += 1) {
    const near = schedule[at - 15]!;
    const far = schedule[at - 2]!;
    const sigma0 = ((near >>> 7) | (near << 25)) ^ ((near >>> 18) | (near << 14)) ^ (near >>> 3);
    const sigma1 = ((far >>> 17) | (far << 15)) ^ ((far >>> 19) | (far << 13)) ^ (far >>> 10);
    schedule[at] = (schedule[at - 16]! + sigma0 + schedule[at - 7]! + sigma1) | 0;
  }
}

/** §6.2.2, steps 2 to 4. */
function compress(): void {
  let a = initial[0]!;
  let b = initial[1]!;
  let c = initial[2]!;
  let d = initial[3]!;
  let e = initial[4]!;
  let f = initial[5]!;
  let g = initial[6]!;
  let h = initial[7]!;
  for (let round = 0; round < rounds; round += 1) {
    const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const choice = (e & f) ^ (~e & g);
    const first = (h + sum1 + choice + roundConstants[round]! + schedule[round]!) | 0;
    const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + sum0 + majority) | 0;
  }
  digest[0] = a + initial[0]!;
  digest[1] = b + initial[1]!;
  digest[2] = c + initial[2]!;
  digest[3] = d + initial[3]!;
  digest[4] = e + initial[4]!;
  digest[5] = f + initial[5]!;
  digest[6] = g + initial[6]!;
  digest[7] = h + initial[7]!;
}

/** Base64url without padding (RFC 4648 §5): 42 groups of six bits and the last four. */
function digestText(): string {
  for (let group = 0; group < idLength - 1; group += 1) {
    const bit = group * 6;
    const word = digest[bit >>> 5]!;
    const shift = bit & 31;
    const six =
      shift <= 26
        ? word >>> (26 - shift)
        : (word << (shift - 26)) | (digest[(bit >>> 5) + 1]! >>> (58 - shift));
    text[group] = alphabet[six & 63]!;
  }
  text[idLength - 1] = alphabet[(digest[7]! << 2) & 63]!;
  return text.toString('latin1', 0, idLength);
}

function fractionBits(root: number): number {
  return ((root % 1) * 2 ** 32) | 0;
}

function firstPrimes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}
