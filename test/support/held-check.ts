import { connect as connectSocket } from 'node:net';
import { connect, type ClientHttp2Session } from 'node:http2';
import { answerOf, type CheckAnswer } from './extauthz.js';
import { checkMethod } from './grpc-reference.js';
import { checkPath, message } from './raw-grpc.js';

/** A check that has begun and is not asked to its end yet. */
export interface HeldCheck {
  /** Sends the rest. */
  finish(): Promise<CheckAnswer>;
}

/** Over HTTP: all but the empty line that ends it. */
export async function heldHttpCheck(port: number, lines: readonly string[]): Promise<HeldCheck> {
  const socket = connectSocket({ port, host: '127.0.0.1' });
  let text = '';
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    const begun = ['GET /api/held HTTP/1.1', 'Host: edge', 'Connection: close', ...lines, ''];
    socket.write(begun.join('\r\n'), () => resolve());
  });
  return {
    finish: async () => {
      socket.write('\r\n');
      await closed;
      const [head = '', body = ''] = text.split('\r\n\r\n');
      const [status = '', ...headers] = head.split('\r\n');
      const pairs = headers.map((line) => /^([^:]+): ?(.*)$/.exec(line)?.slice(1) ?? []);
      return {
        status: Number(status.split(' ')[1] ?? 0),
        headers: Object.fromEntries(pairs) as Record<string, string>,
        remove: [],
        body,
      };
    },
  };
}

/** Over gRPC: the call is open, its message has half come. */
export function heldGrpcCheck(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
): HeldCheck {
  const http = { method: 'GET', path: '/api/held', headers: { ...headers, ':authority': 'edge' } };
  const asked = checkMethod.requestSerialize({ attributes: { request: { http } } });
  const bytes = message(Buffer.from(asked));
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': checkPath,
      'content-type': 'application/grpc',
      te: 'trailers',
    },
    { endStream: false },
  );
  stream.on('error', () => undefined);
  stream.write(bytes.subarray(0, 7));
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  return {
    finish: async () => {
      stream.end(bytes.subarray(7));
      await closed;
      const answer = Buffer.concat(chunks);
      if (answer.length < 5) throw new Error('the call was ended without an answer');
      return answerOf(checkMethod.responseDeserialize(answer.subarray(5)));
    },
  };
}

export interface Http2Client {
  readonly session: ClientHttp2Session;
  /** Whether GOAWAY has come. */
  readonly isToldToGo: () => boolean;
  readonly isOver: () => boolean;
  /** How often the server has asked whether anybody is there. */
  readonly pings: () => number;
}

/** An HTTP/2 connection as Envoy would have one. */
export async function http2Client(port: number): Promise<Http2Client> {
  const session = connect(`http://127.0.0.1:${String(port)}`);
  let [isTold, isOver, pings] = [false, false, 0];
  session.on('goaway', () => (isTold = true)).on('close', () => (isOver = true));
  session.on('ping', () => (pings += 1));
  session.on('error', () => undefined);
  // The server's settings: it has taken the connection.
  await new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => resolve()).once('error', reject);
  });
  return { session, isToldToGo: () => isTold, isOver: () => isOver, pings: () => pings };
}
