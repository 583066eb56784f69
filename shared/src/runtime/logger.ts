import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import { textLines, type LogFormat } from './text-lines.js';

export type { Logger } from 'pino';

/** Names that must never be printed, wherever a caller puts them: the second line of defence. */
const secretNames = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'code',
  'state',
  'nonce',
  'code_verifier',
  'access_token',
  'refresh_token',
  'id_token',
  'client_secret',
  'token',
]);

/** A logger on standard output, one line per event, with the secrets of this field redacted by name. */
export function createLogger(
  options: {
    name: string;
    level: string;
    /** `json` if left out. */
    format?: LogFormat;
  },
  destination?: DestinationStream,
): Logger {
  const settings = {
    name: options.name,
    level: options.level,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: object) => withoutSecrets(fields),
    },
    // An error's message and stack are no fields of it before this.
    serializers: { err: (error: Error) => cleanValue(stdSerializers.err(error), depth - 1) },
    // For what a child logger is bound to, which no formatter sees: names and plain values only.
    redact: {
      paths: [...secretNames].map((name) => `["${name}"]`),
      censor: '[redacted]',
    },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(settings, destination ?? standardOutput(options.format));
}

/** So deep do our lines go; what lies deeper is not looked at. */
const depth = 3;

/**
 * The same without the values of secret names; the line itself where it has none, as nearly always.
 * pino's own `redact` takes a third of the time of a line for paths with wildcards.
 */
function withoutSecrets(fields: object, left: number = depth): Record<string, unknown> {
  let clean: Record<string, unknown> | undefined;
  for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
    // Left to its serializer.
    if (name === 'err' && left === depth && value instanceof Error) continue;
    const kept = secretNames.has(name.toLowerCase()) ? '[redacted]' : cleanValue(value, left - 1);
    if (kept !== value) (clean ??= { ...fields })[name] = kept;
  }
  return clean ?? (fields as Record<string, unknown>);
}

function cleanValue(value: unknown, left: number): unknown {
  const isDeeper = typeof value === 'object' && value !== null && left > 0;
  return isDeeper ? withoutSecrets(value, left) : value;
}

function standardOutput(format: LogFormat = 'json'): DestinationStream {
  const output = pino.destination({ dest: 1, sync: true });
  return linesOfOneTurn(format === 'text' ? textLines(output) : output);
}

/**
 * Lines that are written in one turn of the event loop leave in one write, as the commands to Redis
 * do: under load a write per line is a tenth of a heartbeat. Nothing waits longer than its turn, and
 * what is left at the end of the process is written then.
 */
export function linesOfOneTurn(sink: DestinationStream): DestinationStream {
  let pending = '';
  const flush = (): void => {
    const text = pending;
    pending = '';
    if (text !== '') sink.write(text);
  };
  flushAtExit(flush);
  return {
    write: (line) => {
      if (pending === '') setImmediate(flush);
      pending += line;
    },
  };
}

const flushes: (() => void)[] = [];

/** One listener for all loggers of a process. */
function flushAtExit(flush: () => void): void {
  if (flushes.length === 0) {
    process.on('exit', () => {
      for (const each of flushes) each();
    });
  }
  flushes.push(flush);
}
