import { parseArgs } from 'node:util';
import { checkNames, checkUserId } from '@sallyport/shared';
import { UsageError } from './usage.js';

export type SessionCommand =
  | { readonly verb: 'list'; readonly userId: string; readonly json: boolean }
  | { readonly verb: 'show'; readonly ref: string; readonly json: boolean }
  | { readonly verb: 'revoke'; readonly whose: { userId: string } | { ref: string } }
  | { readonly verb: 'flush'; readonly yes: boolean }
  | SeedCommand;

export interface SeedCommand {
  readonly verb: 'seed';
  readonly userId: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
  readonly ttlSeconds?: number;
}

export type CommandLine =
  | { readonly command: 'serve' | 'check-config' | 'help' | 'rekey' }
  | { readonly command: 'doctor'; readonly json: boolean }
  | { readonly command: 'session'; readonly session: SessionCommand };

const options = {
  help: { type: 'boolean', short: 'h' },
  'check-config': { type: 'boolean' },
  json: { type: 'boolean' },
  yes: { type: 'boolean' },
  user: { type: 'string' },
  roles: { type: 'string' },
  permissions: { type: 'string' },
  ttl: { type: 'string' },
} as const;

type Values = ReturnType<typeof parsed>['values'];

/** What each command takes besides itself. */
const takes: Readonly<Record<string, { options: readonly (keyof Values)[]; ref?: true }>> = {
  '': { options: ['check-config'] },
  rekey: { options: [] },
  doctor: { options: ['json'] },
  'session list': { options: ['user', 'json'] },
  'session show': { options: ['json'], ref: true },
  'session revoke': { options: ['user'], ref: true },
  'session flush': { options: ['yes'] },
  'session seed': { options: ['user', 'roles', 'permissions', 'ttl'] },
};

/** What a person asked for. @throws UsageError */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parsed(args);
  if (values.help === true) return { command: 'help' };
  const isSession = positionals[0] === 'session' || positionals[0] === 'sessions';
  const name = isSession ? `session ${positionals[1] ?? ''}`.trim() : (positionals[0] ?? '');
  const [ref, ...surplus] = positionals.slice(isSession ? 2 : 1);
  const taken = Object.hasOwn(takes, name) ? takes[name] : undefined;
  if (taken === undefined) throw new UsageError(unknown(name));
  const given = Object.keys(values) as (keyof Values)[];
  const foreign = given.find((one) => !taken.options.includes(one));
  if (foreign !== undefined) {
    throw new UsageError(`--${foreign} is no option of ${name === '' ? 'the gateway' : name}.`);
  }
  // Not repeated: it may be a cookie that somebody pasted.
  if (surplus.length > 0 || (ref !== undefined && taken.ref !== true)) {
    throw new UsageError(`${name} was given one word too many.`);
  }
  return commandOf(name, values, ref);
}

function commandOf(name: string, values: Values, ref: string | undefined): CommandLine {
  const session = (one: SessionCommand): CommandLine => ({ command: 'session', session: one });
  const json = values.json === true;
  switch (name) {
    case 'rekey':
      return { command: 'rekey' };
    case 'doctor':
      return { command: 'doctor', json };
    case 'session list':
      return session({ verb: 'list', userId: userOf(values), json });
    case 'session show':
      return session({ verb: 'show', ref: refFrom(ref), json });
    case 'session revoke':
      if (ref !== undefined && values.user !== undefined) {
        throw new UsageError('session revoke takes --user ID or REF, not both.');
      }
      return session({
        verb: 'revoke',
        whose: ref === undefined ? { userId: userOf(values) } : { ref: refFrom(ref) },
      });
    case 'session flush':
      return session({ verb: 'flush', yes: values.yes === true });
    case 'session seed':
      return session(seedOf(values));
    default:
      return { command: values['check-config'] === true ? 'check-config' : 'serve' };
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: refLast(args), options, allowPositionals: true });
  } catch (error) {
    // Node's further sentences explain what is seldom meant.
    const [sentence = ''] = (error as Error).message.split(/\.\s|\n/, 1);
    throw new UsageError(`${sentence.replace(/\.$/, '')}.`, { cause: error });
  }
}

/** One reference in 64 begins with a hyphen: it is no option. */
function refLast(args: readonly string[]): string[] {
  const at = args.findIndex((one) => one.startsWith('-') && isRef(one));
  const ref = args[at];
  if (ref === undefined || args.includes('--')) return [...args];
  return [...args.slice(0, at), ...args.slice(at + 1), '--', ref];
}

/** A reference, or a handle. */
function isRef(text: string): boolean {
  return /^(?:[A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{43})$/.test(text);
}

function refFrom(text: string | undefined): string {
  if (text !== undefined && isRef(text)) return text;
  throw new UsageError(
    'REF is what "session list" prints: 22 letters, digits, - or _ (or the 43 of a handle).',
  );
}

function userOf({ user }: Values): string {
  if (user === undefined) throw new UsageError('Say whose sessions: --user ID.');
  acceptable(() => checkUserId(user));
  return user;
}

function seedOf(values: Values): SeedCommand {
  const [roles, permissions] = [listed(values.roles), listed(values.permissions)];
  acceptable(() => checkNames('roles', roles));
  acceptable(() => checkNames('permissions', permissions));
  const { ttl } = values;
  if (ttl !== undefined && !/^[1-9][0-9]{0,5}$/.test(ttl)) {
    throw new UsageError('--ttl is a number of seconds.');
  }
  return {
    verb: 'seed',
    userId: userOf(values),
    roles,
    permissions,
    ...(ttl === undefined ? {} : { ttlSeconds: Number(ttl) }),
  };
}

function listed(text: string | undefined): string[] {
  return text === undefined || text === '' ? [] : text.split(',');
}

function acceptable(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new UsageError(`${(error as Error).message}.`, { cause: error });
  }
}

function unknown(name: string): string {
  const verbs = Object.keys(takes).filter((one) => one.startsWith('session '));
  if (name.startsWith('session')) return `There are these: ${verbs.join(', ')}.`;
  return 'There is no such command: the commands are doctor, rekey and session.';
}
