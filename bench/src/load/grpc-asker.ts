import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { checkFrame } from './check-request.js';
import { checkAnswerOf } from './check-response.js';
import { noAnswer, type Asker, type CheckAnswer, type Target } from './asker.js';

const requestHeaders = {
  ':method': 'POST',
  ':path': '/envoy.service.auth.v3.Authorization/Check',
  ':scheme': 'http',
  te: 'trailers',
  'content-type': 'application/grpc',
  'grpc-timeout': '5S',
};

/**
 * One HTTP/2 connection that carries `slots` unary calls at a time, by hand on node:http2: a grpc-js
 * client would take more of the two cores than the server it measures.
 */
export function grpcAsker(target: Target, slots: number): Asker {
  const frame = checkFrame(target.cookieName, target.path);
  let session: ClientHttp2Session | undefined;

  const open = (): ClientHttp2Session => {
    const opened = connect(`http://127.0.0.1:${target.port}`);
    const forget = (): void => {
      if (session === opened) session = undefined;
    };
    // After a GOAWAY the streams under way are still answered; new ones take a new connection.
    opened.on('goaway', forget);
    opened.on('close', forget);
    opened.on('error', () => {
      forget();
      opened.destroy();
    });
    return opened;
  };
  return {
    slots,
    send: (sessionId, done) => {
      if (session?.destroyed || session?.closed) session = undefined;
      session ??= open();
      const message = Buffer.from(frame.bytes);
      message.write(sessionId, frame.idOffset, 'latin1');
      const stream = session.request(requestHeaders, { endStream: false });
      receive(stream, done);
      stream.end(message);
    },
    close: () => {
      const open = session;
      session = undefined;
      open?.destroy();
    },
  };
}

function receive(stream: ClientHttp2Stream, done: (answer: CheckAnswer) => void): void {
  let body: Buffer | undefined;
  let status: string | undefined;
  stream.on('response', (headers) => {
    // A call that fails at once has its trailers in its headers.
    status = headers['grpc-status'] as string | undefined;
  });
  stream.on('data', (chunk: Buffer) => {
    body = body === undefined ? chunk : Buffer.concat([body, chunk]);
  });
  stream.on('trailers', (trailers: IncomingHttpHeaders) => {
    status = trailers['grpc-status'] as string | undefined;
  });
  stream.on('error', () => {
    // `close` follows.
  });
  stream.on('close', () => {
    const whole = stream.rstCode === constants.NGHTTP2_NO_ERROR && status === '0';
    done(whole && body !== undefined ? checkAnswerOf(body.subarray(5)) : noAnswer);
  });
}
