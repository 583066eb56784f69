import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { certificateAuthority } from '../support/certificates.js';
import { checkHttp, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { callHeaders, flag, frame, frames, preface } from '../support/raw-grpc.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

describeOnRedis('6.2', 'extauthz that was told to stop (R24)', (redis) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-drain-'));
  let service: ExtauthzProcess;
  let ends: string[] = [];
  const start = async (
    drainWait: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const env = { ...redis().env(users.reader), EXTAUTHZ_DRAIN_WAIT_MS: drainWait, ...more };
    ends = [];
    const onDeath = ({ how }: { how: string }): void => void ends.push(how);
    service = await startExtauthz({ directory, env, onDeath });
  };
  afterEach(() => service.child.kill());
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const terminate = () => process.kill(service.child.pid ?? 0, 'SIGTERM');

  it('closes its HTTP connections with their next answer, before it stops listening', async () => {
    await start('60000');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const connection = (): Promise<string | undefined> =>
      new Promise((resolve, reject) => {
        get({ port: service.httpPort, host: '127.0.0.1', agent }, (answer) => {
          answer.resume().once('end', () => resolve(answer.headers.connection));
        }).once('error', reject);
      });
    expect(await connection()).not.toBe('close');
    terminate();
    await until(async () => (await connection()) === 'close');
    agent.destroy();
  });

  it('is not ready any more while it still answers, and says so on the port for that', async () => {
    await start('60000');
    const readiness = async () =>
      (await exchange(`http://127.0.0.1:${String(service.healthPort)}/readyz`)).text;
    expect(await readiness()).not.toContain('draining');
    terminate();
    await until(async () => (await readiness()).includes('draining'));
    const { status } = await exchange(`http://127.0.0.1:${String(service.healthPort)}/livez`);
    expect(status).toBe(200);
    expect((await checkHttp(service.httpPort, [])).status).toBe(401);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['', {}],
    [', nor longer than a short deadline allows', { EXTAUTHZ_DRAIN_DEADLINE_MS: '1900' }],
  ])('does not wait for a gRPC connection whose call never ends%s', async (_, deadline) => {
    await start('0', deadline);
    const socket = await heldCall(service.grpcPort);
    terminate();
    await until(() => service.child.pid === undefined);
    expect(service.log()).toContain('"msg":"stopped"');
    expect(ends).toEqual(['exit code 0']);
    socket.destroy();
  });

  it('stops in order within a short deadline although somebody holds each port of it', async () => {
    await start('0', { EXTAUTHZ_DRAIN_DEADLINE_MS: '1900' });
    const call = await heldCall(service.grpcPort);
    // Half a request: whoever sends it has a minute for the rest.
    const scrape = connect({ port: service.healthPort, host: '127.0.0.1' });
    scrape.on('error', () => undefined);
    scrape.write('GET /metrics HTTP/1.1\r\nhost: a');
    await once(scrape, 'connect');
    // Connections are accepted in their order: with this one that one has been, too.
    await exchange(`http://127.0.0.1:${String(service.healthPort)}/livez`);
    terminate();
    await until(() => service.child.pid === undefined);
    expect(ends).toEqual(['exit code 0']);
    expect(service.log()).toContain('"msg":"stopped"');
    call.destroy();
    scrape.destroy();
  });

  it('does not wait for a CONNECT whose peer stays', async () => {
    await start('0', { EXTAUTHZ_DRAIN_DEADLINE_MS: '7000' });
    await until(() => service.log().includes('"msg":"ready"'));
    const socket = connect({ port: service.httpPort, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.write('CONNECT e:443 HTTP/1.1\r\nHost: e\r\n\r\n');
    await once(socket, 'data');
    socket.write('x');
    terminate();
    await until(() => service.child.pid === undefined);
    expect(service.log()).toContain('"msg":"stopped"');
    socket.destroy();
  });

  it.each(['grpc', 'http'] as const)(
    'does not wait for a %s connection that never ends its TLS handshake',
    async (transport) => {
      const authority = certificateAuthority();
      const own = authority.issue({ name: 'extauthz' });
      const [cert, key] = [join(directory, 'cert'), join(directory, 'key')];
      writeFileSync(cert, own.cert);
      writeFileSync(key, own.key);
      // Less than the 10 s that a handshake is given: it cannot end by itself before.
      const deadline = { EXTAUTHZ_DRAIN_DEADLINE_MS: '7000' };
      await start('0', { EXTAUTHZ_TLS_CERT: cert, EXTAUTHZ_TLS_KEY: key, ...deadline });
      await until(() => service.log().includes('"msg":"ready"'));
      const place = { port: service[`${transport}Port`], host: '127.0.0.1' };
      const silent = connect(place);
      silent.on('error', () => undefined);
      await once(silent, 'connect');
      // Connections are accepted in their order: with this one the silent one has been, too.
      const later = connectTls({
        ...{ ...place, ca: authority.cert },
        ALPNProtocols: [transport === 'grpc' ? 'h2' : 'http/1.1'],
      });
      await once(later, 'secureConnect');
      later.destroy();
      terminate();
      await until(() => service.child.pid === undefined);
      expect(service.log()).toContain('"msg":"stopped"');
      silent.destroy();
    },
  );
});

/** A connection with one call on it that is never finished. */
async function heldCall(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  let heard = 0;
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (heard += chunk.length));
  socket.write(
    Buffer.concat([
      ...[preface, frame(frames.settings, 0, 0, Buffer.alloc(0))],
      frame(frames.headers, flag.endHeaders, 1, callHeaders()),
      frame(frames.ping, 0, 0, Buffer.alloc(8)),
    ]),
  );
  // Settings, their acknowledgement and the ping's: the call before them is open.
  await until(() => heard >= 9 + 9 + 17);
  return socket;
}
