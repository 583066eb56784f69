import { createLogger, textLines, type Logger } from '@sallyport/shared/runtime';

/** What goes wrong on the way, on standard error: standard output has nothing but the answer. */
export function terminalLogger(level: string): Logger {
  const isQuieter = ['silent', 'fatal', 'error'].includes(level);
  return createLogger(
    { name: 'session-gateway', level: isQuieter ? level : 'warn' },
    textLines({ write: (text) => void process.stderr.write(text) }),
  );
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function sayJson(value: unknown): void {
  say(JSON.stringify(value, undefined, 2));
}

export function isoTime(second: number): string {
  return new Date(second * 1000).toISOString();
}

/** `2026-11-21 14:12:03 (4 min ago)`, both as of `now`, epoch ms. */
export function humanTime(second: number, now: number): string {
  const text = isoTime(second).slice(0, 19).replace('T', ' ');
  const seconds = Math.round(second - now / 1000);
  const distance = humanSpan(Math.abs(seconds));
  return `${text} (${seconds > 0 ? `in ${distance}` : `${distance} ago`})`;
}

function humanSpan(seconds: number): string {
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** Cells under each other; no line ends in blanks. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => (row[at] ?? '').length)),
  );
  return rows
    .map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

/** `1 session`, `2 sessions` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
