import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateAuthority } from '../support/certificates.js';
import { grpcChecker, redisWithoutUsers, startExtauthz } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { callHeaders, flag, frame, frames, preface } from '../support/raw-grpc.js';
import { until } from '../support/until.js';

const settings = frame(frames.settings, 0, 0, Buffer.alloc(0));
const callOpened = Buffer.concat([
  preface,
  settings,
  frame(frames.headers, flag.endHeaders, 1, callHeaders()),
]);

const authority = certificateAuthority('authority');
const own = authority.issue({ name: 'extauthz' });
/** The beginning of a ClientHello of 512 bytes (RFC 8446 §4.1.2, §5.1). */
const clientHelloBegun = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 3, 3]);

describe('slow clients of extauthz (T27)', () => {
  let rig: FailureRig;
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-slow-'));
  const sockets: Socket[] = [];
  /** Of their own: they stay open while the other tests run. */
  const tlsSockets: Socket[] = [];
  let handshakes: Promise<void>;
  beforeAll(async () => {
    rig = await startFailureRig();
    handshakes = cutOffHandshakes();
    // Of interest to its own test only.
    handshakes.catch(() => undefined);
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  afterAll(async () => {
    for (const socket of tlsSockets) socket.destroy();
    await handshakes.catch(() => undefined);
    await rig.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const open = (port: number, list = sockets): Socket => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.resume();
    list.push(socket);
    return socket;
  };
  /** Sends `first`, then a drop now and then. @returns whether the other side has had enough */
  const trickle = (port: number, first: string | Buffer, drop: string | Buffer, list = sockets) => {
    const socket = open(port, list);
    socket.write(first);
    const timer = setInterval(() => socket.write(drop), 300);
    let isOver = false;
    socket.on('close', () => {
      clearInterval(timer);
      isOver = true;
    });
    return () => isOver;
  };
  /** Whoever asks all the time takes the machine from what is asked. */
  const pace = () => new Promise((resolve) => setTimeout(resolve, 50));
  const many = (count: number, one: () => () => boolean) => Array.from({ length: count }, one);

  /** Begun before all tests: it takes as long as a handshake may, of which others need not wait. */
  const cutOffHandshakes = async (): Promise<void> => {
    const [cert, key] = [join(directory, 'cert'), join(directory, 'key')];
    writeFileSync(cert, own.cert);
    writeFileSync(key, own.key);
    const service = await startExtauthz({
      directory,
      env: {
        ...{ REDIS_PORT: String(rig.redis.port), ...redisWithoutUsers },
        ...{ EXTAUTHZ_TLS_CERT: cert, EXTAUTHZ_TLS_KEY: key },
      },
    });
    const checker = grpcChecker(
      service.grpcPort,
      credentials.createSsl(Buffer.from(authority.cert)),
    );
    try {
      const slow = [service.httpPort, service.grpcPort].flatMap((port) => [
        ...many(50, () => trickle(port, Buffer.alloc(0), Buffer.alloc(0), tlsSockets)),
        ...many(50, () => trickle(port, clientHelloBegun, Buffer.alloc(1), tlsSockets)),
      ]);
      while (!slow.every((isOver) => isOver())) {
        expect((await checker.check([])).status).toBe(401);
        await pace();
      }
    } finally {
      checker.close();
      await service.child.stop();
    }
  };

  it('are cut off while everybody else is served, whatever they send by the drop', async () => {
    const { httpPort, grpcPort } = rig.service;
    const id = await rig.write();
    await rig.turn(id, 200);
    const head = 'GET /api/me HTTP/1.1\r\nHost: edge\r\n';
    const slow = [
      many(50, () => trickle(httpPort, `${head}X-Drop: `, 'x')),
      many(50, () => trickle(httpPort, head, 'X-Drop: x\r\n')),
      many(50, () => trickle(httpPort, `${head}Content-Length: 1000\r\n\r\n`, 'x')),
      many(50, () => trickle(httpPort, `${head}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n')),
      many(20, () => trickle(grpcPort, preface.subarray(0, 5), Buffer.alloc(0))),
      many(20, () => trickle(grpcPort, callOpened, frame(frames.data, 0, 1, Buffer.alloc(1)))),
    ].flat();
    await until(async () => {
      expect(await rig.statuses(id)).toEqual([200, 200]);
      await pace();
      return slow.every((isOver) => isOver());
    });
    expect(await rig.isReady()).toBe(true);
  }, 120_000);

  it('do not keep others out by the thousand, saying nothing', async () => {
    const { httpPort, grpcPort } = rig.service;
    const id = await rig.write();
    let established = 0;
    for (let count = 0; count < 1000; count += 1) {
      for (const port of [httpPort, grpcPort]) open(port).on('connect', () => (established += 1));
    }
    await until(() => established === 2000);
    for (let count = 0; count < 50; count += 1) {
      expect(await rig.statuses(id)).toEqual([200, 200]);
    }
  });

  it('of TLS are cut off when they do not come to the end of their handshake', () => handshakes);
});
