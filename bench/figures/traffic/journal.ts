import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** Whether there is such a session, as the writer knows it. `-ing`: sent; `-ed`: Redis has confirmed it. */
export type Change = 'creating' | 'created' | 'revoking' | 'revoked';

export type Entry =
  | readonly [change: Change, session: number, at: number]
  | readonly [
      kind: 'check',
      target: number,
      session: number,
      sent: number,
      answered: number,
      status: number,
      userId: string | null,
    ];

/** Milliseconds on the machine's one monotonic clock: comparable between processes. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export interface Journal {
  write(entry: Entry): void;
  close(): void;
}

const flushAt = 65_536;

/** A file of one entry a line, read by the oracle when all is over. */
export function openJournal(path: string): Journal {
  const file = openSync(path, 'w', 0o600);
  let lines = '';
  const flush = (): void => {
    writeSync(file, lines);
    lines = '';
  };
  return {
    write: (entry) => {
      lines += `${JSON.stringify(entry)}\n`;
      if (lines.length >= flushAt) flush();
    },
    close: () => {
      flush();
      closeSync(file);
    },
  };
}

export function readJournal(path: string): Entry[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Entry);
}
