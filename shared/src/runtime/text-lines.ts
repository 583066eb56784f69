import type { DestinationStream } from 'pino';

/** `LOG_FORMAT` */
export const logFormats = ['json', 'text'] as const;
export type LogFormat = (typeof logFormats)[number];

/**
 * JSON lines as text for a person at a terminal: time, level, name, message, then `key=value`. Still one
 * line each and nothing in it that a terminal would obey, whatever somebody sent us (TRUST T26).
 */
export function textLines(sink: DestinationStream): DestinationStream {
  return {
    write: (lines) => {
      for (const line of lines.split('\n')) if (line !== '') sink.write(`${textOf(line)}\n`);
    },
  };
}

function textOf(line: string): string {
  const { time, level, name, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest)
    .filter(([key]) => key !== 'pid' && key !== 'hostname')
    .map(([key, value]) => `${shown(key)}=${shown(value)}`);
  const head = [time, String(level).toUpperCase().padEnd(5), name, msg ?? ''];
  return [...head.map((part) => escaped(String(part))), ...fields].join(' ').trimEnd();
}

/** Bare where that can be read in one way only. */
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[\x21\x23-\x3c\x3e-\x7e]+$/.test(value)) return value;
  return escaped(JSON.stringify(value));
}

function escaped(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-control-regex -- they are what it is about
    /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
