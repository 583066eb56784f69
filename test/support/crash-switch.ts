import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { respCommands } from './resp-commands.js';

/**
 * Where a process is to be killed, before or after what it does there has its effect: as it does the
 * n-th thing since `arm` but those of its {@link isRound rounds}, or one thing for the n-th time. From 0.
 */
export type Strike = { readonly moment: 'before' | 'after' } & (
  { readonly at: number } | { readonly label: string; readonly nth: number }
);

/**
 * Stands between a process and what it talks to, counts what it does, and kills it in the middle of
 * it. The process has no part in this: it is watched from outside.
 */
export interface CrashSwitch {
  /** Where the process finds Redis. */
  readonly port: number;
  /** Counts from now on; with a strike the process is killed there. */
  arm(pid: number, strike?: Strike): void;
  /** Nothing is counted any more. */
  disarm(): void;
  /** What was done since `arm`: Redis commands and calls over HTTP, without what differs each time. */
  readonly points: () => readonly string[];
  /** What the process was killed at. */
  readonly struck: () => string | undefined;
  /** To be asked by whoever answers a call in the process's place: `pass` it on, or as it says. */
  call(label: string): 'pass' | 'kill-before' | 'kill-after';
  /** Stops it where it is, until it is killed. */
  freeze(): void;
  /** Kills it now. */
  kill(): void;
  close(): Promise<void>;
}

export async function startCrashSwitch(redisPort: number): Promise<CrashSwitch> {
  const sockets = new Set<Socket>();
  let armed: { readonly pid: number; readonly strike: Strike | undefined } | undefined;
  let points: string[] = [];
  let struck: string | undefined;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const kill = (): void => {
    if (armed === undefined) return;
    process.kill(armed.pid, 'SIGKILL');
    cut();
  };
  const isThere = (strike: Strike | undefined, label: string): boolean => {
    if (strike === undefined) return false;
    if ('label' in strike) {
      if (label !== strike.label) return false;
      return points.filter((point) => point === label).length === strike.nth + 1;
    }
    if (isRound(label)) return false;
    return points.filter((point) => !isRound(point)).length === strike.at + 1;
  };
  const count = (label: string): Strike['moment'] | undefined => {
    if (armed === undefined || struck !== undefined) return undefined;
    points.push(label);
    const { strike } = armed;
    if (strike === undefined || !isThere(strike, label)) return undefined;
    struck = `${strike.moment} ${label}`;
    return strike.moment;
  };

  const server = createServer((client) => {
    const upstream = connect(redisPort, '127.0.0.1');
    let deaf = false;
    let awaited: { readonly text: string; seen: string } | undefined;
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const commands = respCommands();
    client.on('data', (chunk: Buffer) => {
      if (struck !== undefined) return;
      for (const { raw, words } of commands(chunk)) {
        const moment = count(labelOf(words));
        if (moment === 'before') {
          kill();
          return;
        }
        upstream.write(raw);
        if (moment === 'after') {
          // Its answer comes when the command before it has run; neither reaches the process.
          const text = `struck-${String(points.length)}`;
          deaf = true;
          awaited = { text, seen: '' };
          upstream.write(`*2\r\n$4\r\nPING\r\n$${String(text.length)}\r\n${text}\r\n`);
          return;
        }
      }
    });
    upstream.on('data', (chunk: Buffer) => {
      if (!deaf) client.write(chunk);
      if (awaited === undefined) return;
      awaited.seen += chunk.toString('latin1');
      if (awaited.seen.includes(awaited.text)) kill();
    });
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end).on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    arm: (pid, strike) => {
      armed = { pid, strike };
      points = [];
      struck = undefined;
    },
    disarm: () => (armed = undefined),
    points: () => points,
    struck: () => struck,
    call: (label) => {
      const moment = count(label);
      return moment === undefined ? 'pass' : `kill-${moment}`;
    },
    freeze: () => {
      if (armed !== undefined) process.kill(armed.pid, 'SIGSTOP');
    },
    kill,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}

/**
 * What a gateway does on its own, time and again, whether anybody asks it for anything or not. How often
 * it comes while something else is looked at, and where in between, is chance.
 */
export function isRound(label: string): boolean {
  return rounds.has(label.split(' ').slice(0, 2).join(' '));
}

const rounds = new Set([
  ...['xreadgroup GROUP', 'xautoclaim extauthz:activity', 'evalsha activity-stream'],
  ...['evalsha refresh-due-claim', 'evalsha claim-revocation', 'evalsha left-claim'],
  'evalsha state-contract',
]);

const folder = join(import.meta.dirname, '../../session-gateway/lua');
const sources = readdirSync(folder).map((file) => ({
  name: file.replace('.lua', ''),
  text: readFileSync(join(folder, file), 'utf8'),
}));
const sourceOf = (wanted: string): string =>
  sources.find(({ name }) => name === wanted)?.text ?? '';
const [pair, left] = [sourceOf('pair'), sourceOf('plan-left')];
const scripts = sources.flatMap(({ name, text }) =>
  ['', `${pair}\n`, `${left}\n`, `${pair}\n${left}\n`].map(
    (before) => [before + text, name] as const,
  ),
);
const byDigest = new Map(
  scripts.map(([source, name]) => [createHash('sha1').update(source).digest('hex'), name]),
);
const bySource = new Map(scripts);

/** A command without anything that differs from run to run: `evalsha create extauthz:session:<…>`. */
function labelOf([command = '', first = '', ...rest]: readonly string[]): string {
  const name = command.toLowerCase();
  const isScript = name === 'evalsha' || name === 'eval';
  const keys = isScript ? rest.slice(1, 1 + Number(rest[0])) : [first];
  const script = isScript ? [byDigest.get(first) ?? bySource.get(first) ?? 'unknown'] : [];
  const named = keys.map((key) => key.replace(/[A-Za-z0-9_-]{43}/g, '<…>'));
  return [name, ...script, ...named].filter((word) => word !== '').join(' ');
}
