import { closeSync, openSync, writeSync } from 'node:fs';

/** Lines to a file or to standard error, each written before the call returns. */
export interface LineFile {
  write(line: string): void;
  /** For a file that was moved away (log rotation): the next line goes to a new one. */
  reopen(): void;
}

/** How long a pipe whose reader is slow is left alone before the next try, ms. */
const pipePause = 10;

/**
 * What cannot be written is told and lost: nothing waits in memory, or a full disk would make the
 * process grow without bound.
 * @param path of a file to append to, made if it is missing (mode 0600); standard error if undefined
 * @param onError told of every line that could not be written; nothing is thrown for it
 * @throws Error if the file cannot be opened
 */
export function openLineFile(path: string | undefined, onError: (error: Error) => void): LineFile {
  const open = (): number => (path === undefined ? 2 : openSync(path, 'a', 0o600));
  let descriptor = open();
  // The disk was full in the middle of a line: the next one must not be glued to it.
  let isTorn = false;
  return {
    write: (line) => {
      let rest = Buffer.from(isTorn ? `\n${line}\n` : `${line}\n`);
      const { length } = rest;
      try {
        while (rest.length > 0) rest = rest.subarray(written(descriptor, rest));
        isTorn = false;
      } catch (error) {
        if (rest.length < length) isTorn = true;
        onError(error as Error);
      }
    },
    reopen: () => {
      if (path === undefined) return;
      try {
        const old = descriptor;
        descriptor = open();
        isTorn = false;
        closeSync(old);
      } catch (error) {
        onError(error as Error);
      }
    },
  };
}

function written(descriptor: number, bytes: Buffer): number {
  try {
    return writeSync(descriptor, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EAGAIN' && code !== 'EBUSY') throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pipePause);
    return 0;
  }
}
