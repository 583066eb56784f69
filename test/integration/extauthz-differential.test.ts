import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionId } from '@sallyport/shared';
import { Health, Registry, createLogger } from '@sallyport/shared/runtime';
import { admission } from '../../extauthz/src/admission.js';
import { authorizer } from '../../extauthz/src/authorizer.js';
import type { SessionLookup } from '../../extauthz/src/check.js';
import { createEvents } from '../../extauthz/src/events.js';
import { grpcCheckServer } from '../../extauthz/src/grpc/server.js';
import { httpCheckServer } from '../../extauthz/src/http/server.js';
import { identityOf } from '../../extauthz/src/identity.js';
import { readPolicy } from '../../extauthz/src/policy-file.js';
import { modelRules, rulesFile, someRequest } from '../support/check-generator.js';
import {
  modelOrigins,
  modelStatus,
  type ModelRequest,
  type Stored,
} from '../support/check-model.js';
import { checkHttp, grpcChecker } from '../support/extauthz.js';
import { cookieName, someSession } from '../support/facts.js';
import { cases, Choices, proofSeed } from '../support/proofs.js';

const states: Stored[] = ['browser', 'native', 'service', 'expired', 'absent', 'corrupt', 'down'];
const ids = new Map<SessionId, Stored>(
  states.flatMap((state) => [1, 2].map(() => [newSessionId(), state] as const)),
);
const byHandle = new Map(
  [...ids].map(([id, state]) => [sessionHandle(id, 'hashed'), state] as const),
);

function lookup(state: Stored): SessionLookup {
  switch (state) {
    case 'down':
      return { outcome: 'unavailable' };
    case 'absent':
    case 'corrupt':
      return { outcome: state };
    case 'expired':
    case 'browser':
    case 'native':
    case 'service': {
      const session = someSession({
        userId: `user-of-${state}`,
        ...(state === 'expired' ? { expiresAt: 1_700_000_001 } : { kind: state }),
        permissions: state === 'service' ? [] : ['a:read', 'b:write'],
      });
      return { outcome: 'found', session, identity: identityOf(session) };
    }
  }
}

describe('HTTP, gRPC and the plain model', () => {
  const registry = new Registry();
  const events = createEvents(registry, createLogger({ name: 'test', level: 'silent' }), {
    logAllows: 0,
  });
  const { own, trusted } = modelOrigins;
  const reading = readPolicy(rulesFile, { own, trusted: new Set([trusted]) });
  if ('problems' in reading) throw new Error(reading.problems.join('\n'));
  const { policy } = reading;
  const authorize = authorizer({
    reader: {
      find: (handle) => {
        const found = lookup(byHandle.get(handle) ?? 'absent');
        // Both ways of answering.
        return handle.charCodeAt(0) % 2 === 0 ? found : Promise.resolve(found);
      },
      known: () => undefined,
    },
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

  it(`agree on status, identity and reason (seed ${String(proofSeed)})`, async () => {
    const choices = new Choices(proofSeed);
    const seen = new Map<number, number>();
    const one = async (request: ModelRequest): Promise<void> => {
      const { method, target, lines } = request;
      const [overHttp, overGrpc] = await Promise.all([
        checkHttp(http.port, lines, target, method, agent),
        checker.check(lines, target, method),
      ]);
      // The answer to HEAD has no body over HTTP (RFC 9110 §9.3.2).
      const body = method === 'HEAD' ? '' : overGrpc.body;
      expect({ request, ...overHttp }).toEqual({ request, ...overGrpc, body });
      const status = modelStatus(request, modelRules, (id) => ids.get(id as SessionId) ?? 'absent');
      expect({ request, status: overHttp.status }).toEqual({ request, status });
      const userId = overHttp.headers['x-user-id'];
      // Somebody's where a session decided, nobody's where none did, and never on a denial.
      if (status === 200) expect(userId).toMatch(/^(?:user-of-.*)?$/);
      else expect(userId).toBeUndefined();
      seen.set(status, (seen.get(status) ?? 0) + 1);
    };
    const known = [...ids.keys()];
    for (let count = cases(3_000, 100_000); count > 0; count -= 8) {
      await Promise.all(Array.from({ length: 8 }, () => one(someRequest(choices, known))));
    }
    for (const status of [200, 400, 401, 403, 503]) expect(seen.get(status)).toBeGreaterThan(20);
  }, 600_000);
});
