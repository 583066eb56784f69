import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionId } from '@sallyport/shared';
import { Health, Registry, createLogger } from '@sallyport/shared/runtime';
import { authorizer } from '../../extauthz/src/authorizer.js';
import type { SessionLookup } from '../../extauthz/src/check.js';
import { createEvents } from '../../extauthz/src/events.js';
import { grpcCheckServer } from '../../extauthz/src/grpc/server.js';
import { httpCheckServer } from '../../extauthz/src/http/server.js';
import { identityOf } from '../../extauthz/src/identity.js';
import { sessionPolicy } from '../../extauthz/src/policy.js';
import { modelStatus, type Stored } from '../support/check-model.js';
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

type Lines = [string, string][];

function someLines(choices: Choices): Lines {
  const id = (): string =>
    choices.rarely(6)
      ? choices.one(['x', '', `${newSessionId()}x`, newSessionId()])
      : choices.one([...ids.keys()]);
  const pair = (): string =>
    choices.one([
      `${cookieName}=${id()}`,
      `${cookieName} = ${id()} `,
      `a=${choices.one(['b', 'b,c', `1,${cookieName}=${id()}`])}`,
      `__Host-sref=x`,
      choices.one(['', 'a', '=', `x${cookieName}=1`, `${cookieName}x=1`, cookieName]),
    ]);
  const cookie = (): [string, string] => {
    const text = choices.rarely(60) ? 'a'.repeat(8193) : '';
    const pairs = Array.from({ length: 1 + choices.below(3) }, pair);
    return ['cookie', [...pairs, ...(text === '' ? [] : [text])].join('; ').trim()];
  };
  const authorization = (): [string, string] => [
    choices.one(['authorization', 'Authorization']),
    choices
      .one([`Bearer ${id()}`, `bearer  ${id()}`, 'Basic x', 'Bearer', `Bearer ${id()},x`])
      .trim(),
  ];
  const other = (): [string, string] => [
    choices.one([
      'x-user-id',
      'X_User_Id',
      'x_roles',
      'x-other',
      'x-envoy-original-path',
      'X-Request-Id',
    ]),
    choices.one(['root', '', '/admin']),
  ];
  const lines: Lines = [];
  if (!choices.rarely(4)) lines.push(cookie());
  if (choices.rarely(25)) lines.push(cookie());
  if (choices.rarely(3)) lines.push(authorization());
  if (choices.rarely(40)) lines.push(authorization());
  if (choices.rarely(10)) lines.push(other());
  return lines;
}

describe('HTTP, gRPC and the plain model', () => {
  const registry = new Registry();
  const events = createEvents(registry, createLogger({ name: 'test', level: 'silent' }), {
    logAllows: 0,
  });
  const policy = sessionPolicy({ own: 'https://app.example', trusted: new Set() });
  const authorize = authorizer({
    reader: {
      find: (handle) => {
        const found = lookup(byHandle.get(handle) ?? 'absent');
        // Both ways of answering.
        return handle.charCodeAt(0) % 2 === 0 ? found : Promise.resolve(found);
      },
    },
    keyForm: 'hashed',
    policy: () => policy,
    now: () => 1_800_000_000_000,
  });
  const shared = { port: 0, answers: { cookieName }, admit: authorize, events };
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
    const one = async (lines: Lines): Promise<void> => {
      const [overHttp, overGrpc] = await Promise.all([
        checkHttp(http.port, lines, '/api/me', 'GET', agent),
        checker.check(lines),
      ]);
      expect({ lines, ...overHttp }).toEqual({ lines, ...overGrpc });
      const status = modelStatus(lines, (id) => ids.get(id as SessionId) ?? 'absent');
      expect({ lines, status: overHttp.status }).toEqual({ lines, status });
      if (status === 200) expect(overHttp.headers['x-user-id']).toMatch(/^user-of-/);
      else expect(overHttp.headers).not.toHaveProperty('x-user-id');
      seen.set(status, (seen.get(status) ?? 0) + 1);
    };
    for (let count = cases(2_000, 100_000); count > 0; count -= 8) {
      await Promise.all(Array.from({ length: 8 }, () => one(someLines(choices))));
    }
    for (const status of [200, 400, 401, 503]) expect(seen.get(status)).toBeGreaterThan(20);
  }, 600_000);
});
