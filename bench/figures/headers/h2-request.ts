import { connect } from 'node:net';

const patience = 10_000;
const frame = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;
const endStream = 0x1;
const endHeaders = 0x4;
const ack = 0x1;
const frameHead = 9;
const stream = 1;

export type Field = readonly [name: string, value: string];

export interface H2Request {
  readonly fields: readonly Field[];
  /** Sent after a byte of body; empty: the headers end the request. */
  readonly trailers: readonly Field[];
}

/**
 * One HTTP/2 request without TLS, its fields byte for byte as given, on a connection of its own: a
 * client library would refuse what an attacker may send (capitals, hop-by-hop names).
 * @returns the status; 0 when stream or connection ended without one
 */
export function h2Request(port: number, request: H2Request): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let received = Buffer.alloc(0);
    let status = 0;
    const settle = (): void => {
      socket.destroy();
      resolve(status);
    };
    socket.setTimeout(patience, settle);
    socket.on('error', settle);
    socket.on('close', settle);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      for (;;) {
        if (received.length < frameHead) return;
        const end = frameHead + received.readUIntBE(0, 3);
        if (received.length < end) return;
        const [type, flags] = [received[3] ?? 0, received[4] ?? 0];
        const payload = received.subarray(frameHead, end);
        received = received.subarray(end);
        if (type === frame.settings && (flags & ack) === 0) {
          socket.write(frameOf(frame.settings, ack, 0, Buffer.alloc(0)));
        }
        if (type === frame.headers && status === 0) status = statusOf(payload);
        const isBody = type === frame.headers || type === frame.data;
        const isOver = isBody && (flags & endStream) !== 0;
        if (isOver || type === frame.reset || type === frame.goaway) {
          settle();
          return;
        }
      }
    });
    socket.write(bytesOf(request));
  });
}

function bytesOf({ fields, trailers }: H2Request): Buffer {
  const hasTrailers = trailers.length > 0;
  const parts = [
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
    frameOf(frame.settings, 0, 0, Buffer.alloc(0)),
    frameOf(frame.headers, endHeaders | (hasTrailers ? 0 : endStream), stream, block(fields)),
  ];
  if (hasTrailers) {
    parts.push(
      frameOf(frame.data, 0, stream, Buffer.from('x')),
      frameOf(frame.headers, endHeaders | endStream, stream, block(trailers)),
    );
  }
  return Buffer.concat(parts);
}

function frameOf(type: number, flags: number, on: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(frameHead);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(on, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK, each field a literal with its name in full, neither indexed nor in Huffman's code. */
function block(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]);
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const length = bytes.length < 127 ? [bytes.length] : [127, ...varint(bytes.length - 127)];
  return Buffer.concat([Buffer.from(length), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

const indexedStatuses = [200, 204, 206, 304, 400, 404, 500];
const firstStatusIndex = 8;
const digitCodes = [
  ...['00000', '00001', '00010', '011001', '011010'],
  ...['011011', '011100', '011101', '011110', '011111'],
];

/** `:status` comes first, and a first answer of a connection refers to the static table only. */
function statusOf(payload: Buffer): number {
  const [first = 0, length = 0] = payload;
  if (first >= 0x80) return indexedStatuses[(first & 0x7f) - firstStatusIndex] ?? 0;
  const value = payload.subarray(2, 2 + (length & 0x7f));
  if (length < 0x80) return Number(value.toString('latin1'));
  const bits = Array.from(value, (byte) => byte.toString(2).padStart(8, '0')).join('');
  let [digits, at] = ['', 0];
  while (digits.length < 3) {
    const digit = digitCodes.findIndex((code) => bits.startsWith(code, at));
    if (digit === -1) return 0;
    digits += String(digit);
    at += digitCodes[digit]?.length ?? 0;
  }
  return Number(digits);
}
