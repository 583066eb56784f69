import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { credentials } from '@grpc/grpc-js';
import { certificateAuthority, type Certificate } from '../support/certificates.js';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

const authority = certificateAuthority('authority');
const first = authority.issue({ name: 'first' });
const second = authority.issue({ name: 'second' });
const client = authority.issue({ name: 'client' });
const others = certificateAuthority('another authority');
const stranger = others.issue({ name: 'stranger' });

describeOnRedis('6.2', 'extauthz with TLS', (redis) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  const path = (name: string) => join(directory, name);
  let service: ExtauthzProcess | undefined;

  /** As an operator's tools do: the whole file at once. */
  const put = (name: string, text: string): void => {
    writeFileSync(path(`${name}.new`), text);
    renameSync(path(`${name}.new`), path(name));
  };
  const install = (pair: Certificate): void => {
    put('key', pair.key);
    put('cert', pair.cert);
  };
  const start = async (env: Record<string, string> = {}): Promise<ExtauthzProcess> => {
    install(first);
    service = await startExtauthz({
      directory,
      env: {
        ...redis().env(users.reader),
        EXTAUTHZ_TLS_CERT: path('cert'),
        EXTAUTHZ_TLS_KEY: path('key'),
        EXTAUTHZ_TLS_RELOAD_MS: '50',
        ...env,
      },
    });
    const { log } = service;
    await until(() => log().includes('"msg":"ready"'));
    return service;
  };

  beforeAll(() => put('ca', authority.cert));
  afterEach(async () => {
    await service?.child.stop();
    service = undefined;
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const statusOverHttp = (port: number, own?: Certificate): Promise<number> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port,
          path: '/api',
          agent: false,
          ca: authority.cert,
          ...(own === undefined ? {} : { cert: own.cert, key: own.key }),
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });

  const statusOverGrpc = async (port: number, own?: Certificate): Promise<number> => {
    const pem = (text?: string) => (text === undefined ? null : Buffer.from(text));
    const channel = credentials.createSsl(pem(authority.cert), pem(own?.key), pem(own?.cert));
    const checker = grpcChecker(port, channel);
    try {
      return (await checker.check([])).status;
    } finally {
      checker.close();
    }
  };

  const presented = (port: number, own?: Certificate): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        ca: authority.cert,
        ALPNProtocols: ['h2', 'http/1.1'],
        ...(own === undefined ? {} : { cert: own.cert, key: own.key }),
      });
      socket.on('error', reject);
      socket.on('secureConnect', () => {
        const { subject } = socket.getPeerCertificate();
        socket.destroy();
        resolve(String(subject.CN));
      });
    });

  it('answers over both transports, and nobody in plain text', async () => {
    const { httpPort, grpcPort } = await start();
    expect(await statusOverHttp(httpPort)).toBe(401);
    expect(await statusOverGrpc(grpcPort)).toBe(401);
    const plain = grpcChecker(grpcPort);
    await expect(plain.check([])).rejects.toThrow();
    plain.close();
  });

  it('takes a new certificate without a restart, and keeps the old one while the new is broken', async () => {
    const { httpPort, grpcPort, child } = await start();
    for (const port of [httpPort, grpcPort]) expect(await presented(port)).toBe('first');
    const { pid } = child;

    put('cert', second.cert);
    await until(() => service?.log().includes('the last good one stays') === true);
    for (const port of [httpPort, grpcPort]) expect(await presented(port)).toBe('first');

    put('key', second.key);
    for (const port of [httpPort, grpcPort]) {
      await until(async () => (await presented(port)) === 'second');
    }
    expect(await statusOverHttp(httpPort)).toBe(401);
    expect(await statusOverGrpc(grpcPort)).toBe(401);
    expect(child.pid).toBe(pid);
  });

  it('with a client authority, refuses whoever has no certificate of it', async () => {
    const { httpPort, grpcPort } = await start({ EXTAUTHZ_TLS_CLIENT_CA: path('ca') });
    expect(await statusOverHttp(httpPort, client)).toBe(401);
    expect(await statusOverGrpc(grpcPort, client)).toBe(401);
    for (const own of [undefined, stranger]) {
      await expect(statusOverHttp(httpPort, own)).rejects.toThrow();
      await expect(statusOverGrpc(grpcPort, own)).rejects.toThrow();
    }
    install(second);
    for (const port of [httpPort, grpcPort]) {
      await until(async () => (await presented(port, client)) === 'second');
    }
    expect(await statusOverHttp(httpPort, client)).toBe(401);
    expect(await statusOverGrpc(grpcPort, client)).toBe(401);
    await expect(statusOverHttp(httpPort)).rejects.toThrow();
    await expect(statusOverGrpc(grpcPort)).rejects.toThrow();
  });

  it('takes another client authority without a restart, and keeps the old one while the new is none', async () => {
    const { httpPort, grpcPort } = await start({ EXTAUTHZ_TLS_CLIENT_CA: path('ca') });
    const asked = async (own: Certificate): Promise<unknown[]> =>
      (
        await Promise.allSettled([statusOverHttp(httpPort, own), statusOverGrpc(grpcPort, own)])
      ).map((one) => (one.status === 'fulfilled' ? one.value : 'refused'));
    expect(await asked(client)).toEqual([401, 401]);

    put('ca', 'no certificate');
    await until(() => service?.log().includes('the last good one stays') === true);
    expect(await asked(client)).toEqual([401, 401]);
    expect(await asked(stranger)).toEqual(['refused', 'refused']);

    put('ca', others.cert);
    await until(async () => (await asked(stranger)).every((status) => status === 401));
    expect(await asked(client)).toEqual(['refused', 'refused']);
    put('ca', authority.cert);
    await until(async () => (await asked(client)).every((status) => status === 401));
  });
});
