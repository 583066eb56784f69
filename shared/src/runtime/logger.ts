import { pino, type DestinationStream, type Logger } from 'pino';
import { textLines, type LogFormat } from './text-lines.js';

export type { Logger } from 'pino';

/** Paths that must never be printed, wherever a caller puts them: the second line of defence. */
const secretPaths = [
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
];

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
    redact: {
      paths: secretPaths.flatMap((path) => {
        const key = path.includes('-') ? `["${path}"]` : path;
        const nested = path.includes('-') ? `*["${path}"]` : `*.${path}`;
        return [key, nested, `headers${path.includes('-') ? key : `.${key}`}`];
      }),
      censor: '[redacted]',
    },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(settings, destination ?? standardOutput(options.format));
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
