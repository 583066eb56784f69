import { Agent } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startAlteredEnvoy } from '../support/altered-envoy.js';
import { startEdge, type Edge } from '../support/envoy.js';
import { checkHttp } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

const origin = 'https://app.example.com';
const warnings = {
  everything: 'no check over HTTP has brought a cookie, authorization, origin or sec-fetch header',
  origin: 'every change with a cookie came without Origin and Sec-Fetch-Site',
};

describe('an Envoy that was not told to forward what a decision reads', () => {
  let rig: FailureRig;
  let edge: Edge;
  let agent: Agent;
  const ends: (() => Promise<unknown>)[] = [];

  // A service of its own each: it says so once in its life.
  beforeEach(async () => {
    agent = new Agent({ keepAlive: true });
    rig = await startFailureRig({ env: () => ({ PUBLIC_ORIGIN: origin }) });
    edge = await startEdge({ mode: 'http', directory: rig.directory, extauthz: rig.service });
  });
  afterEach(async () => {
    agent.destroy();
    for (const end of ends.splice(0)) await end();
    await edge.stop();
    await rig.close();
  });

  const misconfigured = async (forwarded: { patterns: object[] } | undefined): Promise<number> => {
    const { port, child } = await startAlteredEnvoy({
      directory: rig.directory,
      mode: 'http',
      alter: ({ http_filters: filters }) => {
        const [filter] = filters.filter(({ name }) => name === 'envoy.filters.http.ext_authz');
        if (filter === undefined) throw new Error('no ext_authz filter');
        Object.assign(filter.typed_config, { allowed_headers: forwarded });
      },
    });
    ends.push(() => child.stop());
    return port;
  };
  /** A browser's, from our own page. @returns the statuses that came, but for a busy machine's 503 */
  const ask = async (port: number, method: string, times: number): Promise<number[]> => {
    const cookie = `__Host-session=${await rig.write()}`;
    const lines = [
      ['cookie', cookie],
      ['origin', origin],
      ['sec-fetch-site', 'same-origin'],
      ['sec-fetch-mode', 'cors'],
    ] as const;
    const statuses = new Set<number>();
    for (let asked = 0; asked < times; asked += 20) {
      const batch = Array.from({ length: Math.min(20, times - asked) }, () =>
        checkHttp(port, lines, '/api/me', method, agent),
      );
      for (const { status } of await Promise.all(batch)) statuses.add(status);
    }
    return [...statuses].filter((status) => status !== 503);
  };
  const said = (what: keyof typeof warnings): number =>
    rig.service.log().split(warnings[what]).length - 1;

  it('is named once in the log: none of the headers ever came', async () => {
    const port = await misconfigured(undefined);
    expect(await ask(port, 'GET', 900)).toEqual([401]);
    expect(said('everything')).toBe(0);
    await until(async () => {
      expect(await ask(port, 'GET', 40)).toEqual([401]);
      return said('everything') > 0;
    });
    expect(await ask(port, 'GET', 200)).toEqual([401]);
    expect([said('everything'), said('origin')]).toEqual([1, 0]);
  });

  it('is named once in the log: cookies came, and never what shows whose page asks', async () => {
    const port = await misconfigured({ patterns: [{ exact: 'cookie' }] });
    expect(await ask(port, 'GET', 100)).toEqual([200]);
    expect(await ask(port, 'POST', 40)).toEqual([403]);
    expect(said('origin')).toBe(0);
    await until(async () => {
      expect(await ask(port, 'POST', 20)).toEqual([403]);
      return said('origin') > 0;
    });
    expect(await ask(port, 'POST', 100)).toEqual([403]);
    expect([said('everything'), said('origin')]).toEqual([0, 1]);
  });

  it('is not the shipped configuration', async () => {
    expect(await ask(edge.port, 'POST', 100)).toEqual([200]);
    expect(await ask(edge.port, 'GET', 1_100)).toEqual([200]);
    expect([said('everything'), said('origin')]).toEqual([0, 0]);
  });
});
