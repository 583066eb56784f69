import { connect, type Socket } from 'node:net';

/** HTTP/2 (RFC 9113) frame by frame, as no library would send it. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const frames = {
  data: 0x0,
  headers: 0x1,
  reset: 0x3,
  settings: 0x4,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;
export const flag = { endStream: 0x1, endHeaders: 0x4 } as const;

/** The types of the frames in what was received, the last one perhaps not whole. */
export function frameTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    types.push(bytes[at + 3] ?? -1);
  }
  return types;
}

/** HPACK (RFC 7541 §6.2.2), literal without indexing, nothing compressed. */
export function headerBlock(lines: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, 'latin1');
    if (bytes.length < 0x7f) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const size: number[] = [0x7f];
    let rest = bytes.length - 0x7f;
    for (; rest > 0x7f; rest >>>= 7) size.push((rest & 0x7f) | 0x80);
    return Buffer.concat([Buffer.from([...size, rest]), bytes]);
  };
  return Buffer.concat(
    lines.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

export const checkPath = '/envoy.service.auth.v3.Authorization/Check';

export function callHeaders(
  path = checkPath,
  more: readonly (readonly [string, string])[] = [],
  contentType = 'application/grpc',
): Buffer {
  return headerBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'edge'],
    ['content-type', contentType],
    ['te', 'trailers'],
    ...more,
  ]);
}

/** A gRPC message with its five-byte head. */
export function message(bytes: Buffer, compressed = false, length = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed ? 1 : 0;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

/** Sends the pieces and resolves when the other side closes, or after `patience` of silence. */
export function sendRaw(
  port: number,
  pieces: readonly Buffer[],
  options: { patience?: number; abort?: boolean } = {},
): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ port, host: '127.0.0.1' });
    const received: Buffer[] = [];
    const done = (): void => {
      socket.destroy();
      resolve(Buffer.concat(received));
    };
    socket.setTimeout(options.patience ?? 100, done);
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('error', done);
    socket.on('close', done);
    socket.write(Buffer.concat(pieces), () => {
      if (options.abort === true) socket.resetAndDestroy();
    });
  });
}
