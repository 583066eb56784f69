import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createLogger, Health, Registry } from '@sallyport/shared/runtime';
import type { Admit } from '../../extauthz/src/admission.js';
import type { Certificates } from '../../extauthz/src/certificates.js';
import { deny, type Decision } from '../../extauthz/src/decision.js';
import { createEvents } from '../../extauthz/src/events.js';
import type { ConnectionLimits } from '../../extauthz/src/grpc/connections.js';
import { grpcCheckServer, type GrpcCheckServer } from '../../extauthz/src/grpc/server.js';
import { certificateAuthority } from '../support/certificates.js';
import { grpcChecker } from '../support/extauthz.js';
import { frame, frameTypes, frames, preface } from '../support/raw-grpc.js';
import { until } from '../support/until.js';

/** Many times what each is given to open, ms. */
const patience = 15_000;
const settings = frame(frames.settings, 0, 0, Buffer.alloc(0));
const opened = Buffer.concat([preface, settings]);
const authority = certificateAuthority('authority');
const own = authority.issue({ name: 'extauthz' });
const certificate = { cert: Buffer.from(own.cert), key: Buffer.from(own.key) };
const tls: Certificates = {
  name: 'certificates',
  mutual: false,
  current: () => certificate,
  onChange: () => undefined,
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
};

describe('the connections of the gRPC port', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  const start = async (
    limits: Partial<ConnectionLimits>,
    parts: { certificates?: Certificates; admit?: Admit } = {},
  ): Promise<GrpcCheckServer> => {
    const logger = createLogger({ name: 'test', level: 'silent' });
    const server = grpcCheckServer({
      port: 0,
      answers: { cookieName: '__Host-session' },
      admit: () => deny('no_credential'),
      events: createEvents(new Registry(), logger, { logAllows: 0 }),
      health: new Health(),
      limits,
      ...parts,
    });
    await server.start();
    ends.push(() => server.stop());
    return server;
  };
  const watched = <S extends Socket>(socket: S): { socket: S; isOver: () => boolean } => {
    let isOver = false;
    socket.on('error', () => undefined);
    socket.on('close', () => (isOver = true));
    socket.resume();
    ends.push(() => socket.destroy());
    return { socket, isOver: () => isOver };
  };
  const open = (port: number, first = Buffer.alloc(0)) => {
    const connection = watched(connect({ port, host: '127.0.0.1' }));
    connection.socket.write(first);
    return connection;
  };
  const checkerOf = (port: number, channel = credentials.createInsecure()) => {
    const checker = grpcChecker(port, channel);
    ends.push(() => checker.close());
    return checker;
  };

  it('are so many and no more, and a free place is taken again', async () => {
    const { port } = await start({ connections: 2 });
    const [first, second] = [open(port, opened), open(port, opened)];
    await until(() => first.socket.bytesRead > 0 && second.socket.bytesRead > 0);
    const third = open(port, opened);
    await until(third.isOver);
    expect([first.isOver(), second.isOver()]).toEqual([false, false]);
    first.socket.destroy();
    const checker = checkerOf(port);
    await until(() =>
      checker.check([]).then(
        (answer) => answer.status === 401,
        () => false,
      ),
    );
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half the preface', preface.subarray(0, 12)],
    ['the preface alone', preface],
  ])('that say %s are closed; one that has opened stays', async (_what, first) => {
    const { port } = await start({ opening: 300 });
    const honest = open(port, opened);
    await until(() => honest.socket.bytesRead > 0);
    await until(open(port, first).isOver, patience);
    expect(honest.isOver()).toBe(false);
  });

  it('are closed over TLS when the handshake is not made, or nothing follows it', async () => {
    const { port } = await start({ opening: 500 }, { certificates: tls });
    const clientHelloBegun = Buffer.from([0x16, 0x03, 0x01, 0x02]);
    await until(open(port).isOver, patience);
    await until(open(port, clientHelloBegun).isOver, patience);
    const ca = authority.cert;
    const said = { port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] };
    const opener = watched(connectTls(said));
    opener.socket.write(opened);
    const silent = watched(connectTls(said));
    await until(silent.isOver, patience);
    expect(opener.isOver()).toBe(false);
    const honest = checkerOf(port, credentials.createSsl(Buffer.from(ca)));
    expect((await honest.check([])).status).toBe(401);
  });

  it('are told to go elsewhere while what is under way on them is still answered', async () => {
    let decide: (decision: Decision) => void = () => undefined;
    let asked = 0;
    const server = await start(
      {},
      {
        admit: () => {
          asked += 1;
          return new Promise((resolve) => (decide = resolve));
        },
      },
    );
    const answer = checkerOf(server.port).check([]);
    await until(() => asked === 1);
    // A connection of somebody else hears of it at once, and is refused when it asks for more.
    const idle = open(server.port, opened);
    let heard = Buffer.alloc(0);
    idle.socket.on('data', (bytes: Buffer) => (heard = Buffer.concat([heard, bytes])));
    await until(() => heard.length > 0);
    const stopped = server.stop();
    answer.catch(() => undefined);
    await until(idle.isOver);
    expect(frameTypes(heard)).toContain(frames.goaway);
    await expect(checkerOf(server.port).check([])).rejects.toThrow();
    decide(deny('csrf'));
    expect((await answer).status).toBe(403);
    await stopped;
  });
});
