import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { status, type Server } from '@grpc/grpc-js';
import { CallDeadlines, type TimedCall } from './call-deadlines.js';

/** Answers one message with one message, once. Must not throw. */
export type UnaryHandler = (
  message: Buffer,
  respond: (error: UnaryError | null, answer?: Buffer) => void,
) => void;

export interface UnaryError {
  readonly code: status;
  /** Visible ASCII without `%`: it is sent as it is (gRPC over HTTP/2, Status-Message). */
  readonly details: string;
}

export interface UnaryOptions {
  readonly path: string;
  /** Of one message, bytes. */
  readonly maxMessage: number;
  /** From a call's headers to the last byte of its message, ms. */
  readonly patience: number;
  /** What the paths of methods begin with whose calls may send for as long as they like. */
  readonly endless?: string | undefined;
  /** Between two looks for calls whose time is up, ms. */
  readonly interval?: number;
}

/** Length-Prefixed-Message (gRPC over HTTP/2): a compression flag and four bytes of length. */
const prefix = 5;
const timeout = /^\d{1,8}[HMSmun]$/;
const answerHeaders: OutgoingHttpHeaders = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
};
const okTrailers: OutgoingHttpHeaders = { 'grpc-status': '0' };
// A `date` line on each of them would cost what a rule does, and gRPC has no use for it.
const withTrailers = { waitForTrailers: true, sendDate: false };
const trailersOnly = { endStream: true, sendDate: false };

type CallStream = ServerHttp2Stream & { call?: UnaryCall };

/**
 * Takes the calls of one unary method from grpc-js where its HTTP/2 server hands them over, and
 * answers them on node:http2: the call objects that grpc-js makes for each cost more than the
 * decision does (docs/performance.md). Connections, their limits, keepalive and GOAWAY stay
 * grpc-js's, and so does every call out of the ordinary: another method, compression, a content
 * type or a timeout that is none. The method must be registered with grpc-js too.
 *
 * grpc-js keeps the HTTP/2 server to itself. Where a version hides it better, nothing is taken and
 * grpc-js answers everything: slower, not wrong. Its `max_connection_idle_ms` does not count what is
 * answered here.
 *
 * @returns whether calls are taken; and how to stop looking for those whose time is up
 */
export function takeUnaryCalls(
  server: Server,
  options: UnaryOptions,
  handle: UnaryHandler,
): { readonly taken: boolean; stop(): void } {
  const inside = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  const servers = inside.http2Servers instanceof Map ? [...inside.http2Servers.keys()] : [];
  const deadlines = new CallDeadlines(options.patience, options.interval ?? 1_000);
  const rules: CallRules = { ...options, deadlines, handle };
  for (const http2 of servers) take(http2, rules);
  return { taken: servers.length > 0, stop: () => deadlines.stop() };
}

interface CallRules extends UnaryOptions {
  readonly handle: UnaryHandler;
  readonly deadlines: CallDeadlines;
}

type StreamListener = (stream: CallStream, headers: IncomingHttpHeaders, flags: number) => void;

function take(http2: Http2Server, rules: CallRules): void {
  const theirs = http2.listeners('stream') as StreamListener[];
  http2.removeAllListeners('stream');
  http2.on('stream', (stream: CallStream, headers, flags) => {
    if (isOrdinary(headers, rules.path)) new UnaryCall(stream, rules);
    else {
      if (!isEndless(headers, rules)) watch(stream, rules);
      for (const listener of theirs) listener.call(http2, stream, headers, flags);
    }
  });
}

function isEndless(headers: IncomingHttpHeaders, { endless }: CallRules): boolean {
  return endless !== undefined && headers[':path']?.startsWith(endless) === true;
}

/** grpc-js gives a call's message no time, unless its client does. What has come whole it may answer for ever. */
function watch(stream: ServerHttp2Stream, { deadlines }: CallRules): void {
  const call: TimedCall = {
    begun: performance.now(),
    giveUp: () => {
      if (stream.state.state === constants.NGHTTP2_STREAM_STATE_OPEN) {
        stream.close(constants.NGHTTP2_CANCEL);
      } else deadlines.delete(call);
    },
  };
  deadlines.add(call);
  stream.once('close', () => deadlines.delete(call));
}

function isOrdinary(headers: IncomingHttpHeaders, path: string): boolean {
  if (headers[':path'] !== path || headers[':method'] !== 'POST') return false;
  const type = headers['content-type'];
  if (type !== 'application/grpc' && type !== 'application/grpc+proto') return false;
  const encoding = headers['grpc-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return false;
  const within = headers['grpc-timeout'];
  return within === undefined || (typeof within === 'string' && timeout.test(within));
}

const timeIsUp: UnaryError = {
  code: status.DEADLINE_EXCEEDED,
  details: 'the request message did not arrive in time',
};
const tooLarge: UnaryError = {
  code: status.RESOURCE_EXHAUSTED,
  details: 'the request message is larger than this server takes',
};
const compressed: UnaryError = {
  code: status.INTERNAL,
  details: 'the message is flagged as compressed, and grpc-encoding names no compression',
};
const notOne: UnaryError = {
  code: status.UNIMPLEMENTED,
  details: 'this method takes exactly one request message',
};

class UnaryCall implements TimedCall {
  readonly begun = performance.now();
  readonly #stream: CallStream;
  readonly #rules: CallRules;
  #body: Buffer | undefined;
  #more: Buffer[] | undefined;
  #length = 0;
  #isAnswered = false;

  constructor(stream: CallStream, rules: CallRules) {
    this.#stream = stream;
    this.#rules = rules;
    stream.call = this;
    rules.deadlines.add(this);
    stream.on('error', ignore);
    stream.on('close', onClose);
    stream.on('data', onData);
    stream.on('end', onEnd);
  }

  read(chunk: Buffer): void {
    if (this.#isAnswered) return;
    this.#length += chunk.length;
    if (this.#length > prefix + this.#rules.maxMessage) this.fail(tooLarge);
    else if (this.#body === undefined) this.#body = chunk;
    else (this.#more ??= [this.#body]).push(chunk);
  }

  readAll(): void {
    if (this.#isAnswered) return;
    const body = this.#more === undefined ? this.#body : Buffer.concat(this.#more);
    if (body === undefined || body.length < prefix) {
      this.fail(notOne);
      return;
    }
    // One that is shorter than it says was cut off; what follows it would be a second one.
    if (body.readUInt32BE(1) !== body.length - prefix) {
      this.fail(notOne);
      return;
    }
    if (body[0] !== 0) {
      this.fail(compressed);
      return;
    }
    this.#rules.handle(body.subarray(prefix), (error, answer) => {
      if (error === null && answer !== undefined) this.#answer(answer);
      else this.fail(error ?? { code: status.INTERNAL, details: 'no answer' });
    });
  }

  #answer(message: Buffer): void {
    if (this.#isAnswered || !this.#isOpen()) return;
    this.#isAnswered = true;
    const framed = Buffer.allocUnsafe(prefix + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, prefix);
    this.#stream.on('wantTrailers', sendOk);
    this.#stream.respond(answerHeaders, withTrailers);
    this.#stream.end(framed);
  }

  /**
   * An answer that consists of its trailers alone. What may still come is read and dropped: a reset
   * at once could overtake the answer in the client.
   */
  fail({ code, details }: UnaryError): void {
    if (this.#isAnswered || !this.#isOpen()) return;
    this.#isAnswered = true;
    this.#stream.respond(
      { ...answerHeaders, 'grpc-status': String(code), 'grpc-message': details },
      trailersOnly,
    );
  }

  /** Its time is up: it is told so, and if it goes on all the same, or takes no answer, cut off. */
  giveUp(): void {
    if (this.#isAnswered) this.#stream.close(constants.NGHTTP2_CANCEL);
    else this.fail(timeIsUp);
  }

  close(): void {
    this.#isAnswered = true;
    this.#rules.deadlines.delete(this);
  }

  /** node:http2 throws at who answers a peer that has gone. */
  #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }
}

// One function each for all calls: a closure per call and event is what this file is to save.
function ignore(): void {
  // `close` follows.
}
function onData(this: CallStream, chunk: Buffer): void {
  this.call?.read(chunk);
}
function onEnd(this: CallStream): void {
  this.call?.readAll();
}
function onClose(this: CallStream): void {
  this.call?.close();
}
function sendOk(this: CallStream): void {
  if (!this.destroyed && !this.closed) this.sendTrailers(okTrailers);
}
