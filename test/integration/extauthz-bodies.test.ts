import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultSessionCookieName } from '@sallyport/shared';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

/** The check request never reads a body, and answers for node:http's own view of the headers. */
describe('a check over HTTP', () => {
  let rig: FailureRig;
  let cookie = '';
  const sockets: Socket[] = [];
  beforeAll(async () => {
    rig = await startFailureRig();
    const id = await rig.write();
    await rig.turn(id, 200);
    cookie = `Cookie: ${defaultSessionCookieName}=${id}\r\n`;
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  afterAll(() => rig.close());

  const open = () => {
    const socket = connect({ port: rig.service.httpPort, host: '127.0.0.1' });
    let received = '';
    let isClosed = false;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => (received += text));
    socket.on('error', () => undefined);
    socket.on('close', () => (isClosed = true));
    sockets.push(socket);
    return {
      write: (text: string) => socket.write(text, 'latin1'),
      statuses: () => [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status),
      isClosed: () => isClosed,
    };
  };
  const get = (extra = '') => `GET /api/me HTTP/1.1\r\nHost: edge\r\n${cookie}${extra}\r\n`;
  const answered = async (peer: ReturnType<typeof open>, statuses: readonly string[]) => {
    await until(() => peer.statuses().length >= statuses.length || peer.isClosed());
    expect(peer.statuses()).toEqual(statuses);
  };

  it('drops a large body and goes on with the next check of the connection', async () => {
    const peer = open();
    const body = 'x'.repeat(3_000_000);
    for (let round = 0; round < 3; round += 1) {
      peer.write(get(`Content-Length: ${body.length}\r\n`) + body);
    }
    peer.write(get());
    await answered(peer, ['200', '200', '200', '200']);
  });

  it('drops a chunked body with trailers, and takes no header from the trailers', async () => {
    const peer = open();
    const bare = 'GET /api/me HTTP/1.1\r\nHost: edge\r\nTransfer-Encoding: chunked\r\n\r\n';
    peer.write(`${bare}3\r\nabc\r\n0\r\n${cookie}\r\n`);
    peer.write(get('Transfer-Encoding: chunked\r\n') + '3\r\nabc\r\n0\r\nX-Late: x\r\n\r\n');
    peer.write(get());
    await answered(peer, ['401', '200', '200']);
  });

  it('answers before the body is there, and the body is not the next check', async () => {
    const peer = open();
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: edge\r\n\r\n';
    peer.write(get(`Content-Length: ${smuggled.length}\r\n`));
    await answered(peer, ['200']);
    peer.write(smuggled);
    peer.write(get());
    await answered(peer, ['200', '200']);
  });

  it('answers checks that came in one piece, in their order', async () => {
    const peer = open();
    const nobody = 'GET /api/me HTTP/1.1\r\nHost: edge\r\n\r\n';
    peer.write(get() + nobody + get() + nobody);
    await answered(peer, ['200', '401', '200', '401']);
  });

  it('refuses HTTP/1.1 without a Host (RFC 9112 §3.2), also beside names of its length', async () => {
    const peer = open();
    peer.write(`GET /api/me HTTP/1.1\r\n${cookie}Hosd: edge\r\n\r\n`);
    await answered(peer, ['400']);
    await until(peer.isClosed);
  });

  it('answers an Expect as RFC 9110 §10.1.1 has it', async () => {
    const peer = open();
    peer.write(get('Expect: 100-continue\r\nContent-Length: 2\r\n'));
    await answered(peer, ['100', '200']);
    peer.write(`ab${get('Expect: the-unexpected\r\n')}`);
    await answered(peer, ['100', '200', '417']);
  });

  it('answers an HTTP/1.0 peer and closes', async () => {
    const peer = open();
    peer.write(`GET /api/me HTTP/1.0\r\n${cookie}\r\n`);
    await answered(peer, ['200']);
    await until(peer.isClosed);
  });
});
