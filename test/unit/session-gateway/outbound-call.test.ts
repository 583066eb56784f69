import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { outboundCall } from '../../../session-gateway/src/http/outbound-call.js';

let server: Server | undefined;
const serve = async (listener: RequestListener): Promise<string> => {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((started.address() as AddressInfo).port)}/path?query=1`;
};

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

describe('outboundCall', () => {
  it('sends what it is told and gives the whole answer', async () => {
    const url = await serve((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (text: string) => (body += text));
      request.on('end', () => {
        response.writeHead(201, { 'x-kind': String(request.headers['x-kind']) });
        response.write(`${request.method ?? ''} ${request.url ?? ''} `);
        response.end(body);
      });
    });

    const answer = await outboundCall(
      url,
      { method: 'POST', headers: { 'x-kind': 'form' }, body: 'a=ü' },
      100,
    );

    expect(answer.status).toBe(201);
    expect(answer.body.toString()).toBe('POST /path?query=1 a=ü');
    expect(answer.headers).toContainEqual(['x-kind', 'form']);
  });

  it('follows no redirect', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end();
    });

    expect(await outboundCall(url, {}, 100)).toMatchObject({ status: 302 });
  });

  it('takes an answer up to the limit, and gives up beyond it', async () => {
    const url = await serve((_request, response) => {
      response.write('x'.repeat(100));
      response.end('y');
    });

    expect((await outboundCall(url, {}, 101)).body).toHaveLength(101);
    await expect(outboundCall(url, {}, 100)).rejects.toMatchObject({ code: 'body_too_large' });
  });

  it('keeps connections for the next calls', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('ok');
    });
    for (let call = 0; call < 5; call += 1) await outboundCall(url, {}, 100);

    // A call that follows at once may come before the first connection is free again.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it.each([
    ['a new connection', 0],
    ['one that was kept', 1],
  ])('sends a call once, also where %s breaks before the answer', async (_what, before) => {
    let came = 0;
    const url = await serve((request, response) => {
      came += 1;
      // The whole of it was here: a second time it would be a refresh token used twice.
      request.resume().on('end', () => {
        if (came === before + 1) request.socket.destroy();
        else response.end('ok');
      });
    });
    const call = { method: 'POST', body: 'refresh_token=once' };
    for (let kept = 0; kept < before; kept += 1) await outboundCall(url, call, 100);

    await expect(outboundCall(url, call, 100)).rejects.toThrow();
    await outboundCall(url, call, 100);
    expect(came).toBe(before + 2);
  });

  it.each([
    ['before the answer', () => undefined],
    [
      'in the middle of it',
      (response: { write: (text: string) => void }) => response.write('half'),
    ],
  ])('gives up after the timeout, %s', async (_when, begin) => {
    const url = await serve((_request, response) => begin(response));

    await expect(outboundCall(url, { timeout: 50 }, 100)).rejects.toHaveProperty(
      'name',
      'TimeoutError',
    );
    const signal = AbortSignal.timeout(50);
    await expect(outboundCall(url, { signal }, 100)).rejects.toHaveProperty('name', 'TimeoutError');
    await expect(outboundCall(url, { signal }, 100)).rejects.toHaveProperty('name', 'TimeoutError');
  });

  it('never takes an answer that breaks off for a whole one', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('half', () => response.destroy());
    });

    await expect(outboundCall(url, {}, 100)).rejects.toHaveProperty('code', 'UND_ERR_SOCKET');
  });

  it('fails where nobody listens, and where no such protocol is', async () => {
    const url = await serve((_request, response) => response.end());
    await new Promise((resolve) => server?.close(resolve));

    await expect(outboundCall(url, {}, 100)).rejects.toHaveProperty('code', 'ECONNREFUSED');
    expect(() => outboundCall('file:///etc/passwd', {}, 100)).toThrow('neither http nor https');
  });
});
