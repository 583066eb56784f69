import { connect } from 'node:net';

const patience = 10_000;

/**
 * One HTTP/1.1 request, byte for byte as given, on a connection of its own.
 * @returns the status; 0 when the connection ended without an answer
 */
export function rawRequest(port: number, lines: readonly string[], body: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    const settle = (status: number): void => {
      socket.destroy();
      resolve(status);
    };
    socket.setTimeout(patience, () => settle(0));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\r\n\r\n')) settle(Number(text.slice(9, 12)));
    });
    socket.on('error', () => settle(0));
    socket.on('close', () => settle(0));
    socket.write([...lines, '', body].join('\r\n'), 'latin1');
  });
}
