import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { checkHttp, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { cases, Choices, proofSeed } from '../support/proofs.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

describeOnRedis('6.2', 'the HTTP port of extauthz, under attack', (redis) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-hostile-'));
  let service: ExtauthzProcess;
  let pid: number | undefined;

  beforeAll(async () => {
    service = await startExtauthz({
      directory,
      env: { ...redis().env(users.reader), EXTAUTHZ_MAX_CONCURRENT_CHECKS: '4' },
    });
    await until(() => service.log().includes('"msg":"ready"'));
    pid = service.child.pid;
  });
  afterAll(async () => {
    await service.child.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(async () => {
    expect((await checkHttp(service.httpPort, [])).status).toBe(401);
    expect(service.child.pid).toBe(pid);
  });

  /** The status lines that come back for these bytes, until the other side closes or falls silent. */
  const statuses = (
    bytes: Buffer | string,
    { abort = false, patience = 5000 } = {},
  ): Promise<number[]> =>
    new Promise((resolve) => {
      const socket = connect({ port: service.httpPort, host: '127.0.0.1' });
      let text = '';
      const done = (): void => {
        socket.destroy();
        resolve(Array.from(text.matchAll(/HTTP\/1\.1 ([0-9]{3})/g), ([, code]) => Number(code)));
      };
      socket.setTimeout(patience, done);
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.on('error', done);
      socket.on('close', done);
      socket.write(bytes, () => {
        if (abort) socket.resetAndDestroy();
      });
    });

  const lines = (...all: string[]): string =>
    ['GET /api HTTP/1.1', 'Host: e', 'Connection: close', ...all, '', ''].join('\r\n');

  it('lets go of a CONNECT whose peer stays and goes on sending', async () => {
    const place = { port: service.httpPort, host: '127.0.0.1', allowHalfOpen: true };
    const socket = connect(place).resume();
    let isLetGo = false;
    socket.on('error', () => (isLetGo = true));
    socket.write('CONNECT e:443 HTTP/1.1\r\nHost: e\r\n\r\n');
    await once(socket, 'end');
    // Half closed, it would go on being taken.
    await until(() => {
      if (!isLetGo) socket.write('x');
      return isLetGo;
    }, 10_000);
    socket.destroy();
  });

  it.each([
    ['two lengths', lines('Content-Length: 1', 'Content-Length: 2')],
    ['a length and chunks', lines('Content-Length: 4', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
    ['chunks hidden by a blank', lines('Transfer-Encoding : chunked')],
    ['a broken chunk size', lines('Transfer-Encoding: chunked') + 'zz\r\n'],
    ['a folded line', lines('X-A: b', ' c')],
    ['a bare line feed', 'GET /api HTTP/1.1\nHost: e\n\n'],
    ['NUL in a value', lines('Cookie: a=\0')],
    ['no host', 'GET /api HTTP/1.1\r\n\r\n'],
    ['1 MB of cookie', lines(`Cookie: a=${'x'.repeat(1_000_000)}`)],
    ['CONNECT', 'CONNECT e:443 HTTP/1.1\r\nHost: e\r\n\r\n'],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an unknown method', 'NOPE /api HTTP/1.1\r\nHost: e\r\n\r\n'],
  ])('never allows %s', async (_what, bytes) => {
    const answers = await statuses(bytes, { patience: 200 });
    expect(answers.filter((status) => status < 400)).toEqual([]);
  });

  it('treats an upgrade, a body and an expectation as a check like any other', async () => {
    expect(await statuses(lines('Connection: Upgrade', 'Upgrade: websocket'))).toEqual([401]);
    const body = lines('Transfer-Encoding: chunked') + '5;x=y\r\nhello\r\n0\r\nCookie: a=b\r\n\r\n';
    expect(await statuses(body)).toEqual([401]);
    expect(await statuses(lines('Expect: 100-continue', 'Content-Length: 1'))).toEqual([100, 401]);
    expect(await statuses('GET / HTTP/1.1\r\nHost: e\r\n\r\n' + lines())).toEqual([401, 401]);
  });

  it('sees the second cookie behind 3000 other headers', async () => {
    const cookie = `Cookie: __Host-session=${newSessionId()}`;
    const others = Array.from({ length: 3000 }, (_unused, index) => `x-${String(index)}: y`);
    expect(await statuses(lines(cookie, ...others, cookie))).toEqual([400]);
  });

  it('sheds with 503 and Retry-After what would wait beyond the limit, and lives through aborts', async () => {
    const request = lines(`Cookie: __Host-session=${newSessionId()}`);
    redis().server.pause();
    try {
      const answers = await Promise.all(Array.from({ length: 64 }, () => statuses(request)));
      expect(new Set(answers.flat())).toEqual(new Set([503]));
      await Promise.all(Array.from({ length: 64 }, () => statuses(request, { abort: true })));
      const answer = await checkHttp(service.httpPort, [
        ['cookie', `__Host-session=${newSessionId()}`],
      ]);
      expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    } finally {
      redis().server.resume();
    }
  });

  it(`reg-CVE-2021-32637: no garbage is ever answered with an allow (seed ${String(proofSeed)})`, async () => {
    const choices = new Choices(proofSeed);
    const good = lines(`Cookie: a=b; __Host-session=${newSessionId()}`, 'X-Request-Id: r');
    for (let round = cases(20, 1000); round > 0; round -= 1) {
      const sent = Array.from({ length: 20 }, () => {
        const bytes = Buffer.from(good);
        for (let count = 1 + choices.below(6); count > 0; count -= 1) {
          bytes[choices.below(bytes.length)] = choices.below(256);
        }
        return statuses(bytes, { abort: choices.rarely(4), patience: 100 });
      });
      for (const answers of await Promise.all(sent)) {
        expect(answers.filter((status) => status < 400)).toEqual([]);
      }
    }
  }, 300_000);
});
