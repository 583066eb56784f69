/** What a run of CI has to print, and what of it may be missed. */
export interface Expected {
  readonly name: string;
  /** A share under load: shown, not judged, since a busy machine changes it. */
  readonly mayMiss: boolean;
  /** Printed only where there is a Redis 7. */
  readonly needsRedis7: boolean;
}

interface Line {
  readonly text: string;
  readonly name: string;
  readonly isTime: boolean;
  readonly isMissed: boolean;
  /** Why the number does not count. */
  readonly reason: string | undefined;
}

/** One figure a line: `<name> [may-miss] [redis7]`; `#` begins a comment. */
export function readExpected(text: string): Expected[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    .filter(([name]) => name !== '')
    .map(([name = '', ...marks]) => ({
      name,
      mayMiss: marks.includes('may-miss'),
      needsRedis7: marks.includes('redis7'),
    }));
}

/**
 * What is wrong with the figures in a log; nothing: CI may be green. Times depend on the machine and
 * may be missed. Counts may not, nor may a figure that does not count, nor one that is not there:
 * a proof that breaks prints none of its own.
 */
export function faultsOf(
  log: string,
  expected: readonly Expected[],
  { hasRedis7 }: { hasRedis7: boolean },
): string[] {
  const lines = linesOf(log);
  const known = new Map(expected.map((one) => [one.name, one]));
  const printed = new Set(lines.map(({ name }) => name));
  const missing = expected.filter(
    ({ name, needsRedis7 }) => !printed.has(name) && (hasRedis7 || !needsRedis7),
  );
  return [
    ...lines
      .filter(({ name, isTime, isMissed, reason }) => {
        const isFree = isTime || known.get(name)?.mayMiss === true;
        return reason !== undefined || (isMissed && !isFree);
      })
      .map(({ text }) => text),
    ...lines
      .filter(({ name, reason }) => reason === undefined && !known.has(name))
      .map(({ name }) => `${name}: printed, but not in the list of expected figures`),
    ...missing.map(({ name }) => `${name}: expected, but not printed`),
  ];
}

/** jest indents what a test prints. */
function linesOf(log: string): Line[] {
  const form = /^\s*(figure (\S+) (\S+) goal (\S+) (reached|missed)(?: \((.*)\))?)\s*$/gm;
  return [...log.matchAll(form)].map(([, text = '', name = '', , goal, verdict, reason]) => ({
    text,
    name,
    isTime: /^[<>]?=[0-9.]+ms$/.test(goal ?? ''),
    isMissed: verdict === 'missed',
    reason,
  }));
}
