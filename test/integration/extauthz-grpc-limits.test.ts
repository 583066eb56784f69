import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createLogger, Health, Registry } from '@sallyport/shared/runtime';
import { deny } from '../../extauthz/src/decision.js';
import { createEvents } from '../../extauthz/src/events.js';
import { grpcCheckServer, type GrpcLimits } from '../../extauthz/src/grpc/server.js';
import { heldGrpcCheck, http2Client } from '../support/held-check.js';
import { callHeaders, flag, frame, frameTypes, frames, preface } from '../support/raw-grpc.js';
import { until } from '../support/until.js';

const opened = Buffer.concat([preface, frame(frames.settings, 0, 0, Buffer.alloc(0))]);

describe('one connection of the gRPC port', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  const start = async (limits: Partial<GrpcLimits> = {}): Promise<number> => {
    const logger = createLogger({ name: 'test', level: 'silent' });
    const server = grpcCheckServer({
      port: 0,
      answers: { cookieName: '__Host-session' },
      admit: () => deny('no_credential'),
      events: createEvents(new Registry(), logger, { logAllows: 0 }),
      health: new Health(),
      limits,
    });
    await server.start();
    ends.push(() => server.stop());
    return server.port;
  };
  /** Says what it is told to, and never answers anything. */
  const deaf = (port: number) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let [heard, isOver] = [Buffer.alloc(0), false];
    socket.on('error', () => undefined).on('close', () => (isOver = true));
    socket.on('data', (bytes: Buffer) => (heard = Buffer.concat([heard, bytes])));
    ends.push(() => socket.destroy());
    return { socket, isOver: () => isOver, heard: () => frameTypes(heard) };
  };

  it('is closed when its peer does not answer any more; who answers is kept', async () => {
    const port = await start({ keepaliveTime: 50, keepaliveTimeout: 1_500 });
    const client = await http2Client(port);
    ends.push(() => client.session.destroy());
    const silent = deaf(port);
    silent.socket.write(opened);
    await until(silent.isOver, 20_000);
    expect(silent.heard()).toContain(frames.ping);
    // Asked as long as the other, and asked again: each time it had answered.
    await until(() => client.pings() > 2);
    expect(client.isOver()).toBe(false);
    expect((await heldGrpcCheck(client.session, {}).finish()).status).toBe(401);
  });

  it('has 1024 calls open and no more', async () => {
    const port = await start();
    const greedy = deaf(port);
    const calls = (from: number, count: number): Buffer =>
      Buffer.concat(
        Array.from({ length: count }, (_, at) =>
          frame(frames.headers, flag.endHeaders, 2 * (from + at) + 1, callHeaders()),
        ),
      );
    const asked = frame(frames.ping, 0, 0, Buffer.alloc(8));
    const pongs = () => greedy.heard().filter((type) => type === frames.ping).length;
    greedy.socket.write(Buffer.concat([opened, calls(0, 1024), asked]));
    await until(() => pongs() === 1);
    expect(greedy.heard()).not.toContain(frames.reset);
    greedy.socket.write(Buffer.concat([calls(1024, 1), asked]));
    await until(() => pongs() === 2 || greedy.isOver());
    expect(greedy.heard().filter((type) => type === frames.reset)).toHaveLength(1);
  });
});
