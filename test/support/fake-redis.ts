import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { respCommands } from './resp-commands.js';

/** Speaks just enough of Redis's protocol to be asked who it is: for versions this machine has not. */
export interface FakeRedis {
  readonly port: number;
  close(): Promise<void>;
}

export async function startFakeRedis(info: string): Promise<FakeRedis> {
  const sockets = new Set<Socket>();
  const bulk = (text: string) => `$${String(Buffer.byteLength(text))}\r\n${text}\r\n`;
  const answers: Readonly<Record<string, string>> = {
    PING: '+PONG\r\n',
    INFO: bulk(info),
    ROLE: `*3\r\n${bulk('master')}:0\r\n*0\r\n`,
    EVALSHA: '*0\r\n',
    SCRIPT: bulk('0'.repeat(40)),
    XACK: ':0\r\n',
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    const cut = respCommands();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const { words } of cut(chunk)) {
        const name = words[0]?.toUpperCase() ?? '';
        if (name === 'QUIT') socket.end('+OK\r\n');
        else socket.write(answers[name] ?? '+OK\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
