import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkHttp } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

describe('extauthz, seen from outside', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    const env = { SESSION_CACHE_MAX_ENTRIES: '0', EXTAUTHZ_LOG_ALLOWS: '4' };
    rig = await startFailureRig({ env: () => env });
  });
  afterAll(() => rig.close());

  it('reads Redis for every check where it may keep nothing', async () => {
    const id = await rig.write();
    await rig.turn(id, 200);
    const reads = async () => (await rig.calls('hmget')) + (await rig.calls('hgetall'));
    const before = await reads();
    for (let count = 0; count < 5; count += 1) expect(await rig.statuses(id)).toEqual([200, 200]);
    expect((await reads()) - before).toBeGreaterThanOrEqual(10);
  });

  it('logs one allow in four and each denial, with the trace and the request they belong to', async () => {
    const id = await rig.write();
    const lines = (message: string) =>
      rig.service
        .log()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ msg, path }) => msg === message && path === '/api/traced');
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const ids = [
      ['traceparent', `00-${traceId}-00f067aa0ba902b7-01`],
      ['x-request-id', 'req-of-the-test'],
    ] as const;
    const cookie = ['cookie', `__Host-session=${id}`] as const;
    for (let count = 0; count < 8; count += 1) {
      const over = count % 2 === 0;
      const ask = over
        ? checkHttp(rig.service.httpPort, [cookie, ...ids], '/api/traced')
        : rig.checker.check([cookie, ...ids], '/api/traced');
      expect((await ask).status).toBe(200);
    }
    await checkHttp(rig.service.httpPort, [...ids], '/api/traced?secret=canary');
    await rig.checker.check([...ids], '/api/traced?secret=canary');
    await until(() => lines('denied').length === 2);
    expect(lines('allowed')).toHaveLength(2);
    for (const line of [...lines('allowed'), ...lines('denied')]) {
      expect(line).toMatchObject({ traceId, method: 'GET' });
      expect(JSON.stringify(line)).not.toMatch(new RegExp(`${id}|canary`));
    }
    expect(lines('denied').map(({ reason }) => reason)).toEqual(['no_credential', 'no_credential']);
  });

  it('says once that changes come without what shows their origin', async () => {
    const id = await rig.write();
    const change = async () =>
      (
        await checkHttp(
          rig.service.httpPort,
          [['cookie', `__Host-session=${id}`]],
          '/api/me',
          'POST',
        )
      ).status;
    for (let count = 0; count < 60; count += 1) expect(await change()).toBe(403);
    const warnings = () => rig.service.log().split('without Origin and Sec-Fetch-Site').length - 1;
    await until(() => warnings() > 0);
    expect(warnings()).toBe(1);
  });
});
