import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sessionHandle, type SessionHandle, type SessionId } from '@sallyport/shared';
import { Health, Registry, createLogger } from '@sallyport/shared/runtime';
import fc from 'fast-check';
import { admission } from '../../extauthz/src/admission.js';
import { authorizer } from '../../extauthz/src/authorizer.js';
import { cachedSessionReader } from '../../extauthz/src/cache/cached-session-reader.js';
import type { SessionLookup } from '../../extauthz/src/check.js';
import { denyReasons } from '../../extauthz/src/decision.js';
import { createEvents } from '../../extauthz/src/events.js';
import { grpcCheckServer } from '../../extauthz/src/grpc/server.js';
import { httpCheckServer } from '../../extauthz/src/http/server.js';
import { identityOf } from '../../extauthz/src/identity.js';
import { readPolicy } from '../../extauthz/src/policy-file.js';
import { records, requests } from '../support/check-generator.js';
import {
  modelAnswer,
  modelOrigins,
  type ModelRequest,
  type Stored,
} from '../support/check-model.js';
import { modelRules, rulesFile } from '../support/check-rules.js';
import { inWords } from '../support/check-words.js';
import { answerOf, checkHttp, grpcChecker } from '../support/extauthz.js';
import { cookieName, someSession } from '../support/facts.js';
import { cases, proofSeed } from '../support/proofs.js';

// The same in every run, so that a seed repeats one.
const ids = Array.from(
  { length: 12 },
  (_, at) =>
    createHash('sha256')
      .update(`id ${String(at)}`)
      .digest('base64url') as SessionId,
);

/** The sessions as they are now, and what is remembered of them. */
class Store {
  hits = 0;
  misses = 0;
  readonly #records = new Map<SessionHandle, Stored>();
  readonly reader = cachedSessionReader({
    source: {
      read: (handle) => Promise.resolve({ lookup: lookup(this.#at(handle)), deadline: 1_000 }),
    },
    // Fewer than there are sessions: some are let go.
    maxEntries: 6,
    trust: { isTrusted: () => true, generation: () => 1, isFlushDue: () => true },
    now: () => 0,
    events: {
      hit: () => (this.hits += 1),
      miss: () => (this.misses += 1),
      crossed: () => undefined,
      flush: () => undefined,
    },
  });

  readonly of = (id: string): Stored => this.#at(sessionHandle(id as SessionId, 'hashed'));

  /** As the gateway's write and Redis's invalidation of it. */
  write(id: SessionId, record: Stored): void {
    const handle = sessionHandle(id, 'hashed');
    this.#records.set(handle, record);
    this.reader.invalidate(handle);
  }

  #at(handle: SessionHandle): Stored {
    return this.#records.get(handle) ?? { state: 'absent' };
  }
}

function lookup(stored: Stored): SessionLookup {
  if (stored.state === 'down') return { outcome: 'unavailable' };
  if (!('user' in stored)) return { outcome: stored.state };
  const { kind, user: userId, roles, permissions } = stored;
  const ended = stored.state === 'expired' ? { expiresAt: 1_700_000_001 } : {};
  const session = someSession({ userId, kind, roles, permissions, ...ended });
  return { outcome: 'found', session, identity: identityOf(session) };
}

/** Every reason that needs no overload and no odd method, the page for a person, and every rule. */
const everyAnswer = [
  ...Object.keys(denyReasons).filter(
    (reason) => !['overloaded', 'deadline_passed', 'bad_method'].includes(reason),
  ),
  'page',
  ...['open', 'reports', 'admin', 'team', 'hooks', 'shared', 'me'].map(
    (rule) => `allowed by ${rule}`,
  ),
].sort();

describe('HTTP, gRPC and the plain model', () => {
  const registry = new Registry();
  const events = createEvents(registry, createLogger({ name: 'test', level: 'silent' }), {
    logAllows: 0,
  });
  const { own, trusted } = modelOrigins;
  const reading = readPolicy(rulesFile, { own, trusted: new Set([trusted]) });
  if ('problems' in reading) throw new Error(reading.problems.join('\n'));
  const { policy } = reading;
  const store = new Store();
  const authorize = authorizer({
    reader: store.reader,
    keyForm: 'hashed',
    policy: () => policy,
    now: () => 1_800_000_000_000,
  });
  const { admit } = admission({
    authorize,
    maxConcurrent: 1_000,
    deadline: 60_000,
    loop: { possibleWait: () => 0 },
    monotonic: () => performance.now(),
  });
  const shared = { port: 0, answers: { cookieName }, admit, events };
  const http = httpCheckServer({ ...shared, isDraining: () => false });
  const grpc = grpcCheckServer({ ...shared, health: new Health() });
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let checker: ReturnType<typeof grpcChecker>;

  beforeAll(async () => {
    await http.start();
    await grpc.start();
    checker = grpcChecker(grpc.port);
  });
  afterAll(async () => {
    checker.close();
    agent.destroy();
    await grpc.stop();
    await http.stop();
  });

  const seen = new Set<string>();
  const one = async (request: ModelRequest): Promise<void> => {
    const { method, target, lines } = request;
    const expected = modelAnswer(request, modelRules, store.of);
    const [overHttp, response] = await Promise.all([
      checkHttp(http.port, lines, target, method, agent),
      checker.ask(lines, target, method),
    ]);
    const overGrpc = answerOf(response);
    const fields = Object.entries(response.dynamic_metadata?.fields ?? {});
    const metadata = Object.fromEntries(fields.map(([key, value]) => [key, value.stringValue]));
    expect(inWords(overGrpc, metadata)).toEqual(expected);
    // The answer to HEAD has no body over HTTP (RFC 9110 §9.3.2).
    expect(overHttp).toEqual({ ...overGrpc, body: method === 'HEAD' ? '' : overGrpc.body });
    seen.add(expected.status === 200 ? `allowed by ${expected.rule}` : expected.reason);
  };

  it(`reg-36: agree on all that an answer says (seed ${String(proofSeed)})`, async () => {
    const write = fc.record({ id: fc.constantFrom(...ids), record: records() });
    const step = fc.record({
      writes: fc.array(write, { maxLength: 2 }),
      // At once: some find the same session being read.
      asked: fc.array(requests(ids), { minLength: 4, maxLength: 8 }),
    });
    const history = fc.record({
      before: fc.array(records(), { minLength: ids.length, maxLength: ids.length }),
      steps: fc.array(step, { minLength: 1, maxLength: 8 }),
    });
    const goal = cases(3_000, 100_000);
    let asked = 0;

    const property = fc.asyncProperty(history, async ({ before, steps }) => {
      store.reader.flush();
      ids.forEach((id, at) => store.write(id, before[at] ?? { state: 'absent' }));
      for (const { writes, asked: together } of steps) {
        for (const { id, record } of writes) store.write(id, record);
        await Promise.all(together.map(one));
        asked += together.length;
      }
    });
    for (let round = 0; asked < goal; round += 1) {
      await fc.assert(property, { seed: proofSeed + round, numRuns: 50 });
    }
    expect([...seen].sort()).toEqual(everyAnswer);
    // Remembered sessions and read ones were both among them.
    expect(Math.min(store.hits, store.misses)).toBeGreaterThan(goal / 20);
  }, 2_400_000);
});
