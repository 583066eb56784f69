import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { callHeaders, flag, frame, frames, preface } from '../support/raw-grpc.js';
import { until } from '../support/until.js';

const settings = frame(frames.settings, 0, 0, Buffer.alloc(0));
const callOpened = Buffer.concat([
  preface,
  settings,
  frame(frames.headers, flag.endHeaders, 1, callHeaders()),
]);

describe('slow clients of extauthz (T27)', () => {
  let rig: FailureRig;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    rig = await startFailureRig();
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  afterAll(() => rig.close());

  const open = (port: number): Socket => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.resume();
    sockets.push(socket);
    return socket;
  };
  /** Sends `first`, then a drop now and then. @returns whether the other side has had enough */
  const trickle = (port: number, first: string | Buffer, drop: string | Buffer) => {
    const socket = open(port);
    socket.write(first);
    const timer = setInterval(() => socket.write(drop), 300);
    let isOver = false;
    socket.on('close', () => {
      clearInterval(timer);
      isOver = true;
    });
    return () => isOver;
  };
  const many = (count: number, one: () => () => boolean) => Array.from({ length: count }, one);

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
});
