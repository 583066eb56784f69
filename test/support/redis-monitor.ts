import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';
import { until } from './until.js';

/**
 * Every command that reaches this Redis while `run` does, whoever sent it, in Redis's own order.
 *
 * On a plain connection of its own: ioredis's monitor throws from its socket's listener when the
 * first command comes in one piece with the OK.
 *
 * @param admin a client without TLS or password
 */
export async function commandsDuring(
  admin: Redis,
  run: () => Promise<unknown>,
): Promise<readonly (readonly string[])[]> {
  const seen: string[][] = [];
  const { host = '127.0.0.1', port = 6379 } = admin.options;
  const monitor = await monitoring(connect({ host, port }), (words) => seen.push(words));
  try {
    await run();
    // What Redis ran before this has been told before it.
    const mark = randomUUID();
    await admin.echo(mark);
    const at = (): number => seen.findIndex(([, word]) => word === mark);
    await until(() => at() !== -1);
    return seen.slice(0, at());
  } finally {
    monitor.destroy();
  }
}

/** MONITOR: `+OK`, then a line for each command: `+<time> [<db> <address>] "word" "word"`. */
function monitoring(socket: Socket, tell: (words: string[]) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    createInterface({ input: socket }).on('line', (line) => {
      if (line === '+OK') resolve(socket);
      else if (line.startsWith('+')) tell(wordsOf(line.slice(line.indexOf(']') + 1)));
      else reject(new Error(`Redis does not let itself be monitored: ${line}`));
    });
    socket.write('MONITOR\r\n');
  });
}

/** Quotes and backslashes are escaped by a backslash; other escapes stand for no word of ours. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) =>
    word.replace(/\\(["\\])/g, '$1'),
  );
}
