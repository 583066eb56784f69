import type { Redis } from 'ioredis';

/** How 6.2 and 7 say no, to a client and inside a script. */
export const refusal = /NOPERM|can't run this command|can't access|no permissions|not allowed/;

export interface ServerCommand {
  /** `get`, `client|kill`. */
  readonly name: string;
  readonly words: readonly string[];
  /** The fewest words it takes. */
  readonly arity: number;
}

/** These need no permission in any Redis. */
const always = new Set(['auth', 'hello', 'quit', 'reset']);

type Row = readonly [name: string, arity: number, ...unknown[]];

/** Every command that the server itself names; on 7 the subcommands in place of their container. */
export async function commandsOf(admin: Redis): Promise<ServerCommand[]> {
  const rows = (await admin.call('COMMAND')) as Row[];
  const leaves = rows.flatMap((row) => {
    const subcommands = row[9] as Row[] | undefined;
    return subcommands === undefined || subcommands.length === 0 ? [row] : subcommands;
  });
  return leaves
    .map(([name, arity]) => ({ name, words: name.split('|'), arity: Math.abs(arity) }))
    .filter(({ name }) => !always.has(name));
}

/** The words of a call that is long enough to be judged; no key, channel or value in it is a real one. */
export function callOf({ words, arity }: ServerCommand): [string, ...string[]] {
  const [first = '', ...rest] = words;
  return [first, ...rest, ...Array.from({ length: Math.max(0, arity - words.length) }, () => '0')];
}

/** The commands an ACL line grants. */
export function grantedBy(acl: readonly string[], user: string): string[] {
  const line = acl.find((one) => one.startsWith(`user ${user} `)) ?? '';
  return [...line.matchAll(/ \+(\S+)/g)].map(([, name]) => name ?? '').sort();
}

/** Which of the commands a user may run, whatever the keys. */
export async function allowedByDryRun(
  admin: Redis,
  user: string,
  commands: readonly ServerCommand[],
): Promise<string[]> {
  const allowed: string[] = [];
  for (const command of commands) {
    const reply = String(await admin.call('ACL', 'DRYRUN', user, ...callOf(command)));
    if (!reply.includes('no permissions to run')) allowed.push(command.name);
  }
  return allowed.sort();
}
