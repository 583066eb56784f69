import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEdge, type Arrival, type Edge } from '../support/envoy.js';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { corpusPaths, corpusPolicyFile } from '../support/paths.js';
import { rawRequest } from '../support/raw-http.js';

const corpus = corpusPaths();
const statusOf = { ambiguous: 400, protected: 401, public: 200 };

/** 0 where the connection was closed without an answer. */
async function statusFor(port: number, path: string): Promise<number> {
  try {
    const { status } = await rawRequest(port, [`GET ${path} HTTP/1.1`, 'Host: edge']);
    return Number.isNaN(status) ? 0 : status;
  } catch {
    return 0;
  }
}

/** Large batches: Envoy keeps a connection with a malformed request open for a second. */
async function inBatches<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += 120) {
    answers.push(...(await Promise.all(items.slice(at, at + 120).map(ask))));
  }
  return answers;
}

/** Read as generously as a sloppy upstream would: decoded twice, either slash, dots resolved. */
function isPublicToEverybody({ path }: Arrival): boolean {
  let text = path.split('?')[0] ?? '';
  for (let round = 0; round < 2; round += 1) {
    text = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    const segments: string[] = [];
    for (const segment of text.split(/[/\\]+/).map((one) => one.split(';')[0] ?? '')) {
      if (segment === '..') segments.pop();
      else if (segment !== '' && segment !== '.') segments.push(segment);
    }
    const read = segments.join('/');
    if (read !== 'api/open' && read !== 'api/public' && !read.startsWith('api/public/'))
      return false;
  }
  return true;
}

describe('reg-13, reg-14, reg-16, reg-18, reg-23, reg-32: the corpus of paths, without a session', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-paths-'));
  let withoutFile: ExtauthzProcess | undefined;
  let withPolicy: ExtauthzProcess | undefined;

  beforeAll(async () => {
    // Nothing here may need Redis: there is none.
    const env = { REDIS_PORT: '1' };
    [withoutFile, withPolicy] = await Promise.all(
      [env, { ...env, EXTAUTHZ_POLICY_FILE: corpusPolicyFile }].map((own) =>
        startExtauthz({ directory, env: own, ready: false }),
      ),
    );
  }, 60_000);

  afterAll(async () => {
    await Promise.all([withoutFile?.child.stop(), withPolicy?.child.stop()]);
    rmSync(directory, { recursive: true, force: true });
  });

  const running = (service: ExtauthzProcess | undefined): ExtauthzProcess => {
    if (service === undefined) throw new Error('extauthz did not start');
    return service;
  };

  it('gets from extauthz over gRPC what the rules say', async () => {
    const grpc = grpcChecker(running(withPolicy).grpcPort);
    try {
      const got = await inBatches(corpus, async ({ path }) => (await grpc.check([], path)).status);
      expect(corpus.map(({ path }, at) => [path, got[at]])).toEqual(
        corpus.map(({ path, expected }) => [path, statusOf[expected]]),
      );
    } finally {
      grpc.close();
    }
  }, 60_000);

  it('gets from extauthz over HTTP what the rules say', async () => {
    const { httpPort } = running(withPolicy);
    const got = await inBatches(corpus, ({ path }) => statusFor(httpPort, path));
    expect(corpus.map(({ path }, at) => [path, got[at]])).toEqual(
      corpus.map(({ path, expected }) => [path, statusOf[expected]]),
    );
  }, 60_000);

  it('gets no 200 from extauthz without a policy file', async () => {
    const { httpPort, grpcPort } = running(withoutFile);
    const grpc = grpcChecker(grpcPort);
    try {
      const got = await inBatches(corpus, async ({ path }) => (await grpc.check([], path)).status);
      expect(got.filter((status) => status !== 400 && status !== 401)).toEqual([]);
    } finally {
      grpc.close();
    }
    const got = await inBatches(corpus, ({ path }) => statusFor(httpPort, path));
    expect(got.filter((status) => status !== 400 && status !== 401)).toEqual([]);
  }, 60_000);

  describe.each(['http', 'grpc'] as const)('through Envoy, %s', (mode) => {
    const through = async (
      extauthz: ExtauthzProcess,
      check: (edge: Edge, statuses: readonly number[]) => void,
    ): Promise<void> => {
      const edge = await startEdge({ mode, directory, extauthz });
      try {
        check(edge, await inBatches(corpus, ({ path }) => statusFor(edge.port, path)));
      } finally {
        await edge.stop();
      }
    };

    it('reaches the API with none of them', async () => {
      await through(running(withoutFile), ({ arrivals }, statuses) => {
        expect(arrivals.filter(({ upstream }) => upstream === 'api')).toEqual([]);
        // What Envoy itself resolves to a page of the app is not under protection.
        const pages = arrivals.filter(({ upstream }) => upstream === 'app');
        expect(pages.filter(({ path }) => /^\/api(?:[/?]|$)/.test(path))).toEqual([]);
        expect(statuses.filter((status) => status === 200)).toHaveLength(pages.length);
        expect(statuses.filter((status) => status === 401).length).toBeGreaterThan(50);
      });
    }, 60_000);

    it('reaches the API with the public ones, and widens nothing', async () => {
      await through(running(withPolicy), ({ arrivals }, statuses) => {
        const api = arrivals.filter(({ upstream }) => upstream === 'api');
        expect(api.filter((arrival) => !isPublicToEverybody(arrival))).toEqual([]);
        for (const { headers } of api) {
          for (const name of ['x-user-id', 'x-roles', 'x-permissions']) {
            expect(headers.filter(([header]) => header === name)).toEqual([[name, '']]);
          }
        }
        const asked = corpus.map((one, at) => ({ ...one, status: statuses[at] }));
        const honest = asked.filter(({ expected }) => expected === 'public');
        expect(honest.filter(({ status }) => status !== 200)).toEqual([]);
        expect(api.length).toBeGreaterThanOrEqual(honest.length);
      });
    }, 60_000);
  });
});
