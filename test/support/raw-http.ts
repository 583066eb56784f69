import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/**
 * One HTTP/1.1 request, byte for byte as given: no client library tidies it.
 * @param encoding `latin1` sends each character of the lines as one byte
 */
export function rawRequest(
  port: number,
  lines: readonly string[],
  encoding: 'utf8' | 'latin1' = 'utf8',
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    socket.setEncoding('utf8').setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      // Not until the end of the connection: Envoy keeps a refused one open for a second.
      if (isComplete(text)) socket.end().destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(parse(text)));
    socket.write([...lines, 'Connection: close', '', ''].join('\r\n'), encoding);
  });
}

function isComplete(text: string): boolean {
  const { headers, body } = split(text);
  const length = headers.get('content-length');
  if (length !== undefined) return Buffer.byteLength(body) >= Number(length);
  return headers.get('transfer-encoding') === 'chunked' && body.endsWith('0\r\n\r\n');
}

function parse(text: string): RawAnswer {
  const { statusLine, headers, body } = split(text);
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: headers.get('transfer-encoding') === 'chunked' ? unchunk(body) : body,
  };
}

function split(text: string): { statusLine: string; headers: Map<string, string>; body: string } {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...headerLines] = head.split('\r\n');
  const headers = new Map(
    headerLines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { statusLine, headers, body: rest.join('\r\n\r\n') };
}

function unchunk(body: string): string {
  let text = '';
  for (let at = 0; at < body.length;) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, end), 16);
    if (!(size > 0)) break;
    text += body.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
  return text;
}
