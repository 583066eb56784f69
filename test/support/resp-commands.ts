export interface RespCommand {
  /** As it came, to be passed on. */
  readonly raw: Buffer;
  readonly words: readonly string[];
}

/**
 * Cuts what a Redis client sends into its commands (arrays of bulk strings, as ioredis writes them).
 * @returns takes the next chunk, gives the commands that are complete with it
 */
export function respCommands(): (chunk: Buffer) => RespCommand[] {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const complete: RespCommand[] = [];
    for (;;) {
      const found = firstCommand(pending);
      if (found === undefined) return complete;
      complete.push({ raw: pending.subarray(0, found.end), words: found.words });
      pending = pending.subarray(found.end);
    }
  };
}

function firstCommand(bytes: Buffer): { words: string[]; end: number } | undefined {
  const head = lineAt(bytes, 0, '*');
  if (head === undefined) return undefined;
  const words: string[] = [];
  let at = head.end;
  for (let word = 0; word < head.number; word += 1) {
    const size = lineAt(bytes, at, '$');
    if (size === undefined || bytes.length < size.end + size.number + 2) return undefined;
    words.push(bytes.toString('utf8', size.end, size.end + size.number));
    at = size.end + size.number + 2;
  }
  return { words, end: at };
}

function lineAt(
  bytes: Buffer,
  from: number,
  mark: string,
): { number: number; end: number } | undefined {
  const end = bytes.indexOf('\r\n', from);
  if (end < 0) return undefined;
  const line = bytes.toString('latin1', from, end);
  if (!line.startsWith(mark)) throw new Error(`not a command: ${line.slice(0, 20)}`);
  return { number: Number(line.slice(1)), end: end + 2 };
}
