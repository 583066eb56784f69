import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  sessionHandle,
  sessionKey,
  type SessionId,
} from '@sallyport/shared';
import type { BrowserJar } from '../../support/browser-jar.js';
import {
  loginLost,
  startFailoverLoad,
  type FailoverLoad,
  type Kind,
} from '../../support/failover-load.js';
import { isTrusted, startModeStack, type ModeStack } from '../../support/mode-stack.js';
import { reportFigure } from '../../support/figures.js';
import { cases } from '../../support/proofs.js';
import { startSentinelRig, type SentinelRig } from '../../support/sentinel.js';
import { TokenBook, type TokenFamily } from '../../support/token-book.js';
import { until } from '../../support/until.js';

describe('a failover under load', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-failover-'));
  let rig: SentinelRig;
  let stack: ModeStack;
  let load: FailoverLoad | undefined;
  const book = new TokenBook();
  let pids: readonly unknown[];
  const pidsNow = () => [stack.gateway.gateway.pid, stack.service.child.pid];

  beforeAll(async () => {
    rig = await startSentinelRig(directory, { partitionable: true });
    stack = await startModeStack(
      { readerEnv: rig.env, writerEnv: rig.writerEnv },
      {
        GATEWAY_REDIS_TIMEOUT_MS: '500',
        SESSION_LIMIT_PER_USER: '0',
        // All come from one address, and faster than people do.
        GATEWAY_LOGIN_RATE_LIMIT: '0',
      },
    );
    stack.gateway.idp.onGrant = (asked, given) => book.note(asked, given);
    pids = pidsNow();
  });
  afterEach(async () => {
    await load?.stop();
    load = undefined;
    rig.heal();
    for (const server of rig.servers) if (server.pid === undefined) await server.restart();
    await until(isWhole);
    expect(pidsNow()).toEqual(pids);
  });
  afterAll(async () => {
    await stack.close();
    await rig.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** One primary that both others copy from. */
  const isWhole = async (): Promise<boolean> => {
    const texts = await Promise.all(
      rig.admins.map((admin) => admin.info('replication').catch(() => '')),
    );
    const online = texts.map((text) => (text.match(/state=online/g) ?? []).length);
    const primary = texts.findIndex((text) => text.includes('role:master'));
    return online[primary] === 2 && (await rig.masterIndex()) === primary;
  };
  const logins = async (count: number): Promise<BrowserJar[]> => {
    const browsers: BrowserJar[] = [];
    while (browsers.length < count) {
      const some = Array.from({ length: Math.min(5, count - browsers.length) });
      browsers.push(...(await Promise.all(some.map(() => stack.gateway.login()))));
    }
    return browsers;
  };
  const recordsOf = (id: SessionId): [string, string] => {
    const handle = sessionHandle(id, 'hashed');
    return [
      sessionKey(defaultSessionKeyPrefix, handle),
      gatewaySessionKey(defaultSessionKeyPrefix, handle),
    ];
  };

  const survivors = async (ended: FailoverLoad['ended']): Promise<number> => {
    const now = await rig.master();
    const counts = await Promise.all(ended.map(({ id }) => now.exists(...recordsOf(id))));
    return counts.filter((count) => count > 0).length;
  };

  const familiesOf = async (browsers: readonly BrowserJar[]) => {
    const primary = await rig.master();
    const families = new Map<SessionId | undefined, TokenFamily | undefined>();
    for (const browser of browsers) {
      const id = stack.idOf(browser);
      const sid = await primary.hget(recordsOf(id)[1], 'sid');
      families.set(id, book.bySid(sid ?? undefined));
      expect(families.get(id)).toBeDefined();
    }
    return families;
  };
  /** Those that the new primary never heard of are denied (TRUST R5). */
  const judgeOpened = async ({ opened }: FailoverLoad): Promise<void> => {
    const primary = await rig.master();
    for (const id of opened) {
      const records = await primary.exists(...recordsOf(id));
      expect([0, 2]).toContain(records);
      await stack.checks.turn(id, records === 0 ? 401 : 200, [200, 401, 503]);
    }
  };

  /**
   * @param strike how the primary is lost
   * @param recovers what must succeed again before the network is whole
   */
  async function survives(
    name: string,
    strike: (primary: number) => Promise<void> | void,
    recovers: readonly Kind[] = ['check', 'heartbeat', 'refresh', 'login', 'logout'],
  ): Promise<void> {
    const staying = await logins(5);
    const renewing = await logins(30);
    const leaving = await logins(25);
    const renewed = await familiesOf(renewing);
    await until(isWhole);
    await isTrusted(stack);
    const before = await rig.masterIndex();
    const running = startFailoverLoad(stack, staying, leaving, {
      ...{ logoutEvery: 10, loginEvery: 50, refreshEvery: 150, renewing },
    });
    load = running;
    // Straight after an answered logout, which must hold whatever comes.
    await until(() => running.ended.length >= 5);
    await strike(before);
    let promoted = 0;
    await until(async () => {
      promoted = performance.now();
      return ![-1, before].includes(await rig.masterIndex());
    });
    await until(() => recovers.every((kind) => running.firstSuccess(kind, promoted) !== undefined));
    await running.stop();

    // Nobody was told anything else than "yes" and "cannot know".
    for (const { kind, status, id } of running.seen) {
      if (kind === 'login' && status === loginLost) continue;
      // What a lost primary alone knew of a renewal is lost (TRUST R22): the old token comes again,
      // and the provider ends the family.
      const isLost = kind === 'refresh' && status === 401 && renewed.get(id)?.cameTwice === true;
      if (!isLost) expect([kind, status]).toEqual([kind, status === 503 ? 503 : 200]);
    }
    for (const browser of renewing) {
      const id = stack.idOf(browser);
      if (renewed.get(id)?.cameTwice !== true) await stack.checks.turn(id, 200, [503]);
    }
    await judgeOpened(running);
    // A replica that confirmed may not be the one that was promoted: then the journal says it again.
    await until(async () => (await survivors(running.ended)) === 0);
    for (const { id } of running.ended) await stack.checks.turn(id, 401, [200, 503]);
    for (const browser of staying) await stack.checks.turn(stack.idOf(browser), 200, [503]);
    rig.heal();
    await rig.servers[before]?.restart();
    await until(isWhole);
    const resurrected = await survivors(running.ended);
    expect(resurrected).toBe(0);
    reportFigure({ name: `${name}-resurrected`, value: resurrected, goal: { atMost: 0 } });
    for (const kind of recovers) {
      const value = Math.max(0, (running.firstSuccess(kind, promoted) ?? Infinity) - promoted);
      reportFigure({
        name: `${name}-recovery-${kind}`,
        value,
        goal: { atMost: 1_000 },
        unit: 'ms',
      });
    }
  }

  const numbered = Array.from({ length: cases(1, 10) }, (_, round) => round + 1);

  it.each(numbered)(
    'R4 R5: keeps every answered logout when the primary is killed (%i)',
    async () => {
      await survives('failover-killed', (primary) => rig.servers[primary]?.kill());
    },
  );

  it.each(numbered)(
    'R4 R5: keeps every answered logout when the primary is cut off and goes on serving (%i)',
    async () => {
      await survives('failover-partitioned', (primary) => rig.isolate({ servers: [primary] }));
    },
  );

  it('R5: keeps every answered logout when the replica that confirmed it is cut off with the primary', async () => {
    // The one that is promoted has no replica then: no further logout is confirmed.
    await survives(
      'failover-with-a-replica',
      (primary) => rig.isolate({ servers: [primary, (primary + 1) % 3] }),
      ['check', 'heartbeat', 'refresh', 'login'],
    );
  });
});
