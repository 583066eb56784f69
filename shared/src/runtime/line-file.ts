import { pino } from 'pino';

/** Lines to a file or to standard error, each written before the call returns. */
export interface LineFile {
  write(line: string): void;
  /** For a file that was moved away (log rotation): the next line goes to a new one. */
  reopen(): void;
}

/**
 * @param path of a file to append to, made if it is missing (mode 0600); standard error if undefined
 * @param onError told of every line that could not be written; nothing is thrown for it
 * @throws Error if the file cannot be opened
 */
export function openLineFile(path: string | undefined, onError: (error: Error) => void): LineFile {
  const stream = pino.destination({
    dest: path ?? 2,
    append: true,
    sync: true,
    mode: 0o600,
  });
  stream.on('error', onError);
  return {
    write: (line) => {
      try {
        stream.write(`${line}\n`);
      } catch (error) {
        onError(error as Error);
      }
    },
    reopen: () => {
      if (path !== undefined) stream.reopen();
    },
  };
}
