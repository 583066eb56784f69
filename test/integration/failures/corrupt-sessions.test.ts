import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeSession, newSessionId, sessionFields } from '@sallyport/shared';
import { someSession } from '../../support/facts.js';
import { keyOf, startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { proofSeed } from '../../support/proofs.js';

type Field = (typeof sessionFields)[number];

/** One thing wrong with an otherwise good hash, as Redis commands after it was written. */
type Damage =
  | { readonly kind: 'missing'; readonly fields: readonly Field[] }
  | { readonly kind: 'broken'; readonly field: Field; readonly value: string }
  | { readonly kind: 'no expiry' }
  | { readonly kind: 'past'; readonly secondsAgo: number }
  | { readonly kind: 'type'; readonly type: 'string' | 'list' | 'set' | 'zset' | 'stream' };

const required = sessionFields.filter((field) => field !== 'email');
const junk = fc.oneof(
  fc.constantFrom('', '-1', '0x10', '1e9', ' 1900000000', '01900000000', '9'.repeat(30), 'NaN'),
  fc.constantFrom('a\r\nx-roles: ADMIN', 'a b', 'a,,b', ',', 'ü', '\0', 'admin;', '%41'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((text) => `${text}\u0001`),
  fc.constant('a'.repeat(9_000)),
);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({
    kind: fc.constant('missing' as const),
    fields: fc.subarray([...required], { minLength: 1, maxLength: required.length - 1 }),
  }),
  fc
    .record({
      kind: fc.constant('broken' as const),
      field: fc.constantFrom(...sessionFields),
      value: junk,
    })
    .filter(({ field, value }) => isBroken(field, value)),
  fc.constant({ kind: 'no expiry' as const }),
  fc.record({
    kind: fc.constant('past' as const),
    secondsAgo: fc.integer({ min: 0, max: 1_000_000 }),
  }),
  fc.record({
    kind: fc.constant('type' as const),
    type: fc.constantFrom('string' as const, 'list', 'set', 'zset', 'stream'),
  }),
);

/** Some junk is a good user id, a role, or no role at all. */
function isBroken(field: Field, value: string): boolean {
  if (field === 'user_id') return !/^[\x21-\x7e]{1,256}$/.test(value);
  if (field === 'roles' || field === 'permissions') return !/^[A-Za-z0-9._:-]{0,128}$/.test(value);
  if (field === 'email') return !/^[\x21-\x7e]{3,254}$/.test(value);
  return true;
}

describe('damaged sessions', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig();
  });
  afterAll(() => rig.close());

  it(`never let anyone in, whatever is wrong with them (seed ${String(proofSeed)})`, async () => {
    const cases = fc.sample(damage, { numRuns: 600, seed: proofSeed });
    const seconds = Number((await rig.admin.time())[0]);
    const good = encodeSession(someSession({ createdAt: seconds, expiresAt: seconds + 600 }));
    const written = cases.map((one) => ({ one, id: newSessionId() }));
    for (const { one, id } of written) await write(rig, keyOf(id), good, one, seconds);

    const queue = [...written];
    const worker = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const statuses = await rig.statuses(next.id);
        if (statuses.some((status) => status !== 401)) {
          throw new Error(
            `seed ${String(proofSeed)}: ${JSON.stringify(next.one)} → ${String(statuses)}`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(await rig.metric('extauthz_corrupt_records_total{field="type"}')).toBeGreaterThan(0);
    // Nothing of it disturbed anybody else.
    await rig.turn(await rig.write(), 200, []);
  });
});

async function write(
  { admin }: FailureRig,
  key: string,
  good: Partial<Record<Field, string>>,
  one: Damage,
  seconds: number,
): Promise<void> {
  const pipeline = admin.multi().hset(key, good).expire(key, 600);
  switch (one.kind) {
    case 'missing':
      pipeline.hdel(key, ...one.fields);
      break;
    case 'broken':
      pipeline.hset(key, one.field, one.value);
      break;
    case 'no expiry':
      pipeline.persist(key);
      break;
    case 'past':
      pipeline.hset(key, 'expires_at', String(seconds - one.secondsAgo));
      break;
    case 'type':
      pipeline.del(key);
      if (one.type === 'string') pipeline.set(key, 'x');
      if (one.type === 'list') pipeline.rpush(key, 'x');
      if (one.type === 'set') pipeline.sadd(key, 'x');
      if (one.type === 'zset') pipeline.zadd(key, 1, 'x');
      if (one.type === 'stream') pipeline.xadd(key, '*', 'user_id', 'x');
      pipeline.expire(key, 600);
  }
  const results = await pipeline.exec();
  for (const [error] of results ?? []) expect(error).toBeNull();
}
