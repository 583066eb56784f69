import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
} from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { cases, Choices, proofSeed } from '../support/proofs.js';
import {
  callHeaders,
  checkPath,
  flag,
  frame,
  frames,
  message,
  preface,
  sendRaw,
} from '../support/raw-grpc.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

const settings = frame(frames.settings, 0, 0, Buffer.alloc(0));
const { endHeaders, endStream } = flag;

describeOnRedis('6.2', 'the gRPC port of extauthz, under attack', (redis) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-hostile-'));
  let service: ExtauthzProcess;
  let pid: number | undefined;

  beforeAll(async () => {
    service = await startExtauthz({ directory, env: redis().env(users.reader) });
    await until(() => service.log().includes('"msg":"ready"'));
    pid = service.child.pid;
  });
  afterAll(async () => {
    await service.child.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  // Whatever was sent: the same process still decides.
  afterEach(async () => {
    const checker = grpcChecker(service.grpcPort);
    expect((await checker.check([])).status).toBe(401);
    checker.close();
    expect(service.child.pid).toBe(pid);
  });

  const residentMiB = (): number =>
    Number(/VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) /
    1024;

  /** The grpc-status of one call with these bytes as its body; `reset` where the stream was. */
  const call = (
    session: ClientHttp2Session,
    body: Buffer,
    headers: Record<string, string> = {},
  ): Promise<string> =>
    new Promise((resolve) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': checkPath,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      let status = 'reset';
      const note = (lines: IncomingHttpHeaders): void => {
        if (lines['grpc-status'] !== undefined) status = String(lines['grpc-status']);
        else if (Number(lines[':status']) >= 400) status = `http ${String(lines[':status'])}`;
      };
      stream.on('response', note);
      stream.on('trailers', note);
      stream.on('error', () => undefined);
      stream.on('close', () => resolve(status));
      stream.resume();
      stream.end(body);
    });

  const withSession = async (use: (s: ClientHttp2Session) => Promise<void>): Promise<void> => {
    const session = connectHttp2(`http://127.0.0.1:${String(service.grpcPort)}`);
    session.on('error', () => undefined);
    try {
      await use(session);
    } finally {
      session.destroy();
    }
  };

  it('answers INVALID_ARGUMENT to bytes that are no CheckRequest', () =>
    withSession(async (session) => {
      expect(await call(session, message(Buffer.from([0xff])))).toBe('3');
      expect(await call(session, message(Buffer.alloc(0)))).toBe('3');
      expect(await call(session, message(Buffer.from([0x0a, 0x7f])))).toBe('3');
    }));

  it('reg-CVE-2026-33186: never takes a path without its slash, or another, for the check', () =>
    withSession(async (session) => {
      for (const path of [checkPath.slice(1), `/${checkPath}`, `${checkPath}/`, '/x/Check', '*']) {
        expect(await call(session, message(Buffer.alloc(0)), { ':path': path })).toMatch(
          // nghttp2 resets what is no path at all before grpc-js can say UNIMPLEMENTED.
          path.startsWith('/') ? /^12$/ : /^(12|reset)$/,
        );
      }
    }));

  it('refuses a wrong content type and an unknown compression', () =>
    withSession(async (session) => {
      const body = message(Buffer.alloc(0));
      expect(await call(session, body, { 'content-type': 'text/plain' })).toBe('http 415');
      const squeezed = message(Buffer.from('x'), true);
      expect(await call(session, squeezed, { 'grpc-encoding': 'br' })).toBe('12');
      expect(await call(session, squeezed, { 'grpc-encoding': 'gzip' })).not.toBe('0');
      expect(await call(session, squeezed)).not.toBe('0');
    }));

  it('reg-CVE-2024-37168: memory stays flat under 100 messages of 8 MiB and 100 bombs', async () => {
    const bomb = message(gzipSync(Buffer.alloc(48 * 1024 * 1024)), true);
    const large = message(Buffer.alloc(8 * 1024 * 1024));
    const before = residentMiB();
    for (let round = 0; round < 10; round += 1) {
      await withSession(async (session) => {
        const statuses = await Promise.all(
          Array.from({ length: 10 }, (_unused, index) => [
            call(session, large),
            call(session, bomb, { 'grpc-encoding': index % 2 === 0 ? 'gzip' : 'deflate' }),
          ]).flat(),
        );
        expect(statuses.filter((status) => !['8', '13', 'reset'].includes(status))).toEqual([]);
      });
    }
    // 1.6 GiB came in or would have been unpacked.
    expect(residentMiB() - before).toBeLessThan(150);
  });

  it('reg-CVE-2023-44487: lives through rapid resets, aborted calls and half calls', async () => {
    const block = callHeaders();
    const ids = Array.from({ length: 2000 }, (_unused, index) => index * 2 + 1);
    const resets = ids.flatMap((id) => [
      frame(frames.headers, endHeaders, id, block),
      frame(frames.reset, 0, id, Buffer.from([0, 0, 0, 8])),
    ]);
    await sendRaw(service.grpcPort, [preface, settings, ...resets]);
    for (const type of ['text/plain', 'application/grpc']) {
      for (const path of [checkPath, '/x']) {
        const headers = callHeaders(path, [], type);
        const pieces = [1, 3, 5].flatMap((id) => [
          frame(frames.headers, endHeaders, id, headers),
          frame(frames.data, endStream, id, message(Buffer.from([0x0a, 0]))),
          frame(frames.reset, 0, id, Buffer.from([0, 0, 0, 8])),
        ]);
        await sendRaw(service.grpcPort, [preface, settings, ...pieces], { abort: true });
        await sendRaw(service.grpcPort, [preface, settings, ...pieces], { patience: 20 });
      }
    }
  });

  it(`reg-CVE-2026-48068: garbage frames never end the process (seed ${String(proofSeed)})`, async () => {
    const choices = new Choices(proofSeed);
    const timeouts = ['1n', '99999999H', '0m', '-1S', 'x'];
    const anyFrame = (): Buffer => {
      const id = choices.one([0, 1, 2, 3, 5, 7, 2 ** 31 - 1]);
      const flags = choices.one([0, endHeaders, endHeaders | endStream, choices.below(256)]);
      switch (choices.below(5)) {
        case 0: {
          const more: [string, string][] = [['grpc-timeout', choices.one(timeouts)]];
          if (choices.rarely(2)) more.push(['grpc-encoding', choices.one(['gzip', 'x', ''])]);
          if (choices.rarely(3)) more.push([choices.text(6), choices.text(6)]);
          const block = callHeaders(choices.one([checkPath, '/x', '']), more);
          return frame(frames.headers, flags, id, block);
        }
        case 1:
          return frame(frames.data, flags, id, message(choices.bytes(30), choices.rarely(3)));
        case 2:
          return frame(frames.data, flags, id, message(choices.bytes(9), true, choices.below(99)));
        case 3:
          return choices.bytes(40);
        default:
          return frame(choices.below(12), flags, id, choices.bytes(choices.one([4, 5, 6, 8, 40])));
      }
    };
    for (let round = cases(20, 1000); round > 0; round -= 1) {
      await Promise.all(
        Array.from({ length: 20 }, () => {
          const pieces = Array.from({ length: 1 + choices.below(12) }, anyFrame);
          const start = choices.rarely(12) ? [] : [preface, settings];
          const options = { patience: 30, abort: choices.rarely(3) };
          return sendRaw(service.grpcPort, [...start, ...pieces], options);
        }),
      );
      expect(service.child.pid).toBe(pid);
    }
  }, 300_000);
});
