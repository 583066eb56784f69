import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { type AddressInfo, connect as connectSocket, createServer } from 'node:net';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { takeUnaryCalls, type UnaryHandler } from '../../extauthz/src/grpc/unary-calls.js';
import { callHeaders, flag, frame, frames, message, preface } from '../support/raw-grpc.js';
import { until } from '../support/until.js';

const path = '/a.Service/Echo';
const other = '/a.Service/Other';
const maxMessage = 1000;
const asItIs = (bytes: Buffer): Buffer => bytes;
const unary = {
  requestStream: false,
  responseStream: false,
  requestSerialize: asItIs,
  requestDeserialize: asItIs,
  responseSerialize: asItIs,
  responseDeserialize: asItIs,
} as const;

/** Turns the bytes round; says no to what begins with `!`. */
const echo: UnaryHandler = (bytes, respond) => {
  if (bytes[0] === 0x21) respond({ code: status.INVALID_ARGUMENT, details: 'not this' });
  else respond(null, Buffer.from(bytes).reverse());
};

interface Answer {
  readonly http: string;
  readonly status: string;
  readonly message: string | undefined;
  readonly bytes: string;
}

describe('unary calls taken from grpc-js', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** @param take whether calls are taken; and if not, grpc-js answers all of them */
  const start = async (take: boolean, handle = echo, patience = 60_000) => {
    const server = new Server({ 'grpc.max_receive_message_length': maxMessage });
    let theirs = 0;
    const registered = (
      { request }: { request: Buffer },
      callback: Parameters<UnaryHandler>[1],
    ): void => {
      theirs += 1;
      handle(request, callback);
    };
    server.addService(
      { Echo: { path, ...unary }, Other: { path: other, ...unary } },
      { Echo: registered, Other: registered },
    );
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    if (take) {
      const calls = takeUnaryCalls(server, { path, maxMessage, patience, interval: 20 }, handle);
      expect(calls.taken).toBe(true);
      ends.push(() => calls.stop());
    }
    const listener = createServer((socket) => injector.injectConnection(socket));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    const session = connect(`http://127.0.0.1:${String(port)}`);
    session.on('error', () => undefined);
    ends.push(
      () => new Promise((resolve) => listener.close(resolve)),
      () => server.forceShutdown(),
      () => session.destroy(),
    );
    const connections = promisify(listener.getConnections.bind(listener));
    return { port, session, theirs: () => theirs, connections };
  };

  const open = (
    session: ClientHttp2Session,
    headers: Record<string, string> = {},
  ): ClientHttp2Stream => {
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      },
      { endStream: false },
    );
    stream.on('error', () => undefined);
    return stream;
  };

  const answerOf = (stream: ClientHttp2Stream): Promise<Answer> =>
    new Promise((resolve) => {
      let lines: IncomingHttpHeaders = {};
      const chunks: Buffer[] = [];
      stream.on('response', (headers) => (lines = { ...lines, ...headers }));
      stream.on('trailers', (headers: IncomingHttpHeaders) => (lines = { ...lines, ...headers }));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('close', () =>
        resolve({
          http: String(lines[':status']),
          status: String(lines['grpc-status']),
          message: lines['grpc-message'] as string | undefined,
          bytes: Buffer.concat(chunks).toString('hex'),
        }),
      );
    });

  const call = (
    session: ClientHttp2Session,
    pieces: readonly Buffer[],
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const stream = open(session, headers);
    const answer = answerOf(stream);
    for (const piece of pieces) stream.write(piece);
    stream.end();
    return answer;
  };

  it('are answered without grpc-js, however the message is cut into frames', async () => {
    const { session, theirs } = await start(true);
    const whole = message(Buffer.from('abc'));
    const expected = {
      http: '200',
      status: '0',
      bytes: message(Buffer.from('cba')).toString('hex'),
    };
    const single = [...whole].map((byte) => Buffer.from([byte]));
    for (const pieces of [[whole], [whole.subarray(0, 5), whole.subarray(5)], single]) {
      expect(await call(session, pieces)).toMatchObject(expected);
    }
    const timed = { 'grpc-timeout': '200m', 'content-type': 'application/grpc+proto' };
    expect(await call(session, [whole], timed)).toMatchObject(expected);
    expect(theirs()).toBe(0);
  });

  it('stay with grpc-js when they are out of the ordinary, and are answered there', async () => {
    const { session, theirs } = await start(true);
    const squeezed = message(gzipSync(Buffer.from('abc')), true);
    const plain = message(Buffer.from('abc'));
    const bytes = message(Buffer.from('cba')).toString('hex');
    expect(await call(session, [squeezed], { 'grpc-encoding': 'gzip' })).toMatchObject({ bytes });
    expect(await call(session, [plain], { ':path': other })).toMatchObject({ bytes });
    expect(theirs()).toBe(2);
    const unlike = [{ 'content-type': 'text/plain' }, { 'grpc-timeout': 'soon' }, { ':path': '/' }];
    for (const headers of unlike) {
      const answer = await call(session, [plain], headers);
      expect([answer.http === '415', answer.status]).not.toEqual([false, '0']);
    }
  });

  it('come to the same end as with grpc-js, whatever is sent', async () => {
    const [ours, theirs] = [await start(true), await start(false)];
    const three = message(Buffer.from('abc'));
    const bodies = {
      'one message': three,
      'an empty message': message(Buffer.alloc(0)),
      'a refusal': message(Buffer.from('!')),
      nothing: Buffer.alloc(0),
      'two messages': Buffer.concat([three, three]),
      'half a prefix': three.subarray(0, 3),
      'half a message': three.subarray(0, 6),
      'the largest message': message(Buffer.alloc(maxMessage, 1)),
      'a byte more': message(Buffer.alloc(maxMessage + 1, 1)),
      'much more': message(Buffer.alloc(500_000)),
      'a length that is none': message(three, false, 2 ** 32 - 1),
    };
    for (const [what, body] of Object.entries(bodies)) {
      const [mine, reference] = await Promise.all([
        call(ours.session, [body]),
        call(theirs.session, [body]),
      ]);
      // A refusal must be one; which of its codes is the server's own affair.
      const kind = ({ status, bytes }: Answer) => (status === '0' ? bytes : 'refused');
      expect([what, kind(mine)]).toEqual([what, kind(reference)]);
      expect(Number(mine.status)).not.toBeNaN();
    }
    expect(await call(ours.session, [message(Buffer.from('!'))])).toMatchObject({
      status: '3',
      message: 'not this',
    });
    expect(await call(ours.session, [message(three, true)])).toMatchObject({ status: '13' });
    expect(ours.theirs()).toBe(0);
  });

  it.each<[string, Record<string, string>]>([
    ['of another method', { ':path': other }],
    ['of another content type', { 'content-type': 'application/grpc+json' }],
    ['that is compressed', { 'grpc-encoding': 'gzip' }],
  ])('cuts a message %s off, too, when its time is up', async (_, headers) => {
    const { session } = await start(true, echo, 100);
    const stream = open(session, headers);
    const answer = answerOf(stream);
    stream.write(message(Buffer.alloc(500)).subarray(0, 50));
    await answer;
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  });

  it('T27: have a time for their message, are told so, and cut off if they go on', async () => {
    const { session } = await start(true, echo, 100);
    const whole = message(Buffer.alloc(500));
    const told = open(session);
    const answer = answerOf(told);
    told.write(whole.subarray(0, 50));
    await until(() => told.closed, 10_000);
    expect(await answer).toMatchObject({ http: '200', status: '4' });
    // Who is in time on the same connection does not notice.
    expect(await call(session, [message(Buffer.from('abc'))])).toMatchObject({ status: '0' });
  });

  it('are not answered once they are taken back, though their message is whole', async () => {
    let asked = 0;
    const thrown: unknown[] = [];
    const { port } = await start(true, (bytes, respond) => {
      asked += 1;
      try {
        echo(bytes, respond);
      } catch (error) {
        thrown.push(error);
      }
    });
    const socket = connectSocket({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    ends.push(() => socket.destroy());
    const begun = [preface, frame(frames.settings, 0, 0, Buffer.alloc(0))];
    // node:http2 closes the stream first, and hands out afterwards what had come of it.
    const calls = ['abc', '!'].flatMap((text, at) => [
      frame(frames.headers, flag.endHeaders, 2 * at + 1, callHeaders(path)),
      frame(frames.data, 0, 2 * at + 1, message(Buffer.from(text))),
      frame(frames.reset, 0, 2 * at + 1, Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL])),
    ]);
    socket.write(Buffer.concat([...begun, ...calls]));
    await until(() => asked === 2);
    expect(thrown).toEqual([]);
  });

  it('end when their client goes before the answer, and nothing is thrown', async () => {
    const waiting: Parameters<UnaryHandler>[1][] = [];
    const { session, connections } = await start(
      true,
      (_bytes, respond) => void waiting.push(respond),
    );
    const streams = Array.from({ length: 4 }, () => open(session));
    for (const stream of streams) stream.end(message(Buffer.from('abc')));
    await until(() => waiting.length === 4);
    streams[0]?.close();
    streams[1]?.close();
    await until(() => streams[0]?.closed === true && streams[1]?.closed === true);
    const answer = answerOf(streams[3] as ClientHttp2Stream);
    // A round trip: the resets have arrived.
    await new Promise((resolve) => session.ping(resolve));
    waiting[0]?.(null, Buffer.from('late'));
    waiting[1]?.({ code: status.UNAVAILABLE, details: 'late' });
    waiting[3]?.(null, Buffer.from('x'));
    waiting[3]?.(null, Buffer.from('twice'));
    expect(await answer).toMatchObject({
      status: '0',
      bytes: message(Buffer.from('x')).toString('hex'),
    });
    session.destroy();
    await until(async () => (await connections()) === 0);
    expect(() => waiting[2]?.(null, Buffer.from('gone'))).not.toThrow();
  });
});
