import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAlteredEnvoy, type AlteredEnvoy } from '../support/altered-envoy.js';
import { startEdge, type Edge } from '../support/envoy.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { rawRequest } from '../support/raw-http.js';

const filled = (kib: number): string => 'a'.repeat(kib * 1024);

/** Large in what a check hears of, each in another place. */
const shapes = [
  ['a path', (kib: number) => [`GET /api/${filled(kib)} HTTP/1.1`, 'Host: edge']],
  ['one header', (kib: number) => [...begin, `Accept: x/${filled(kib)}`]],
  ['eighty headers', (kib: number) => [...begin, ...many(80, filled(kib / 80))]],
] as const;
const begin = ['GET /api/1 HTTP/1.1', 'Host: edge'];
const many = (count: number, value: string): string[] =>
  Array.from({ length: count }, (_, at) => `Sec-Fetch-${String(at)}: ${value}`);

describe.each(['http', 'grpc'] as const)('large headers through Envoy over %s', (mode) => {
  let rig: FailureRig;
  let edge: Edge;
  let byDefault: AlteredEnvoy;
  let cookie: string;
  beforeAll(async () => {
    rig = await startFailureRig();
    edge = await startEdge({ mode, directory: rig.directory, extauthz: rig.service });
    // As somebody else's Envoy is who says nothing of it: 60 KiB.
    byDefault = await startAlteredEnvoy({
      directory: rig.directory,
      mode,
      alter: (manager) => delete manager.max_request_headers_kb,
    });
    cookie = `Cookie: __Host-session=${await rig.write()}`;
  });
  afterAll(async () => {
    await byDefault.child.stop();
    await edge.stop();
    await rig.close();
  });

  const decided = async (port: number, lines: readonly string[]): Promise<void> => {
    const before = edge.arrivals.length;
    expect((await rawRequest(port, [...lines, cookie])).status).toBe(200);
    expect(edge.arrivals).toHaveLength(before + 1);
    const denied = await rawRequest(port, lines);
    expect([denied.status, denied.body]).toEqual([401, expect.stringContaining('no_credential')]);
    expect(edge.arrivals).toHaveLength(before + 1);
  };

  it.each(shapes)(
    'are decided up to the limit as shipped, Envoy refuses more: %s',
    async (_what, large) => {
      for (const kib of [20, 30]) await decided(edge.port, large(kib));
      expect((await rawRequest(edge.port, [...large(33), cookie])).status).toBe(431);
    },
  );

  it.each(shapes)('are decided up to Envoy’s own default limit: %s', async (_what, large) => {
    for (const kib of [45, 58]) await decided(byDefault.port, large(kib));
    expect((await rawRequest(byDefault.port, [...large(61), cookie])).status).toBe(431);
  });

  it('that leave no room for the identity of an allow are 431 with a reason, not 500', async () => {
    const roles = Array.from({ length: 80 }, (_, at) => `${'r'.repeat(90)}-${String(at)}`);
    const important = `Cookie: __Host-session=${await rig.write({ roles })}`;
    const before = edge.arrivals.length;
    for (const lines of [
      [...begin, ...many(93, 'a'), cookie],
      [...begin, `Accept: x/${filled(28)}`, important],
    ]) {
      const { status, headers, body } = await rawRequest(edge.port, lines);
      expect([status, headers.get('content-type')]).toEqual([431, 'application/problem+json']);
      expect(JSON.parse(body)).toMatchObject({ status: 431, reason: 'headers_too_large' });
    }
    expect(edge.arrivals).toHaveLength(before);
    // Who is denied is told that: there is nothing to add.
    expect((await rawRequest(edge.port, [...begin, ...many(93, 'a')])).status).toBe(401);
  });
});
