import { Agent } from 'node:http';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { checkHttp, shippedDeadlines } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { reportFigure } from '../support/figures.js';
import { cases } from '../support/proofs.js';
import { until } from '../support/until.js';

/** With so few that may wait, a burst of callers is far more than it may take on. */
const limit = 16;
const callers = 400;

describe('extauthz with far more to do than it may', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: callers });
  let rig: FailureRig;
  const start = async (direct: boolean): Promise<void> => {
    rig = await startFailureRig({
      env: (proxied, own) => ({
        // The proxy shares a process with the callers, and would be what is overloaded.
        REDIS_PORT: String(direct ? own : proxied),
        ...shippedDeadlines,
        EXTAUTHZ_MAX_CONCURRENT_CHECKS: String(limit),
      }),
    });
  };
  afterEach(() => rig.close());
  afterAll(() => agent.destroy());

  const http = (id: string) =>
    checkHttp(rig.service.httpPort, [['cookie', `__Host-session=${id}`]], '/api/me', 'GET', agent);
  const grpc = (id: string) => rig.checker.check([['cookie', `__Host-session=${id}`]]);
  const resident = () => rig.metric('process_resident_memory_bytes');

  it('sheds nothing that it knows while as many wait as may', async () => {
    await start(false);
    const known = await rig.write();
    await rig.remembered(known);
    // In one burst: more than may wait, and what is known. The link still proves itself meanwhile.
    await until(async () => {
      rig.dataConnections().forEach((connection) => connection.freeze());
      const waiting = Array.from({ length: 4 * limit }, () => http(newSessionId()));
      const served = await rig.statuses(known);
      const bodies = (await Promise.all(waiting)).map(({ body }) => body);
      rig.dataConnections().forEach((connection) => connection.thaw());
      const shed = bodies.filter((body) => body.includes('"overloaded"')).length;
      if (shed > 0 && served.every((status) => status === 200)) return true;
      await rig.turn(known, 200);
      return false;
    });
    await rig.turn(newSessionId(), 401);
  });

  it('sheds what would wait, serves what it knows, stays small and recovers', async () => {
    await start(true);
    const known = await rig.write();
    await rig.remembered(known);
    const total = cases(3_000, 200_000);
    const seen = new Map<number, number>();
    const sizes: number[] = [];
    let asked = 0;
    let knownAsked = 0;
    const caller = async (index: number): Promise<void> => {
      while (asked < total) {
        asked += 1;
        const check = index % 2 === 0 ? http : grpc;
        const isKnown = index % 8 < 2;
        const { status } = await check(isKnown ? known : newSessionId());
        expect(isKnown ? [200, 503] : [401, 503]).toContain(status);
        if (isKnown) knownAsked += 1;
        seen.set(status, (seen.get(status) ?? 0) + 1);
        if (index === 0) sizes.push(await resident());
      }
    };
    await Promise.all(Array.from({ length: callers }, (_unused, index) => caller(index)));

    expect([...seen.keys()].sort()).toEqual([200, 401, 503]);
    expect(seen.get(503)).toBeGreaterThan(total / 10);
    await until(async () => (await rig.metric('extauthz_checks_in_flight')) === 0);
    await rig.turn(await rig.write(), 200);
    await rig.turn(newSessionId(), 401);

    const half = Math.floor(sizes.length / 2);
    const most = (some: readonly number[]) => Math.max(...some) / 2 ** 20;
    reportFigure({
      name: 'overload-rss-growth-mib',
      value: most(sizes.slice(half)) - most(sizes.slice(0, half)),
      goal: { atMost: 16 },
    });
    reportFigure({
      name: 'overload-known-served',
      value: (seen.get(200) ?? 0) / knownAsked,
      goal: { atLeast: 0.9 },
    });
    reportFigure({
      name: 'overload-shed-share',
      value: (seen.get(503) ?? 0) / total,
      goal: { atLeast: 0.1 },
    });
  }, 600_000);
});
