import { readFileSync } from 'node:fs';
import type { z } from 'zod';

/** The environment does not make a configuration. `problems` has one line per cause, none with a secret in it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'bad_config';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(['The configuration cannot be used:', ...problems.map((line) => `  ${line}`)].join('\n'));
    this.problems = problems;
  }
}

export interface EnvRules {
  /** Other names under which a variable is accepted: alias → our name. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Variables that may be given as `NAME_FILE`, the path of a file that holds the value. */
  readonly secrets?: readonly string[];
  /** A variable that starts so and is unknown is probably a typing mistake. */
  readonly ownPrefixes?: readonly string[];
  /** Names that others read and that are no mistake here. */
  readonly alsoKnown?: readonly string[];
}

export interface ParsedEnv<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads a service's settings from its environment. Empty values count as not given.
 * @param contradictions problems between values; given those that are good by themselves
 * @throws ConfigError with every problem at once.
 */
export function parseEnv<S extends z.ZodObject>(
  schema: S,
  env: Env,
  rules: EnvRules = {},
  contradictions: (value: Partial<z.output<S>>) => readonly string[] = () => [],
): ParsedEnv<z.output<S>> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const given = collect(env, rules, problems);
  warnings.push(...unknownNames(env, schema, rules));
  const result = schema.safeParse(given);
  if (!result.success) {
    problems.push(...result.error.issues.map((issue) => describe(issue, given)));
  }
  problems.push(...contradictions(goodOnes(schema, given)));
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return { value: result.data, warnings };
}

function goodOnes<S extends z.ZodObject>(
  schema: S,
  given: Readonly<Record<string, string>>,
): Partial<z.output<S>> {
  const good = Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, rule]) => {
    const result = rule.safeParse(given[name]);
    return result.success ? [[name, result.data] as const] : [];
  });
  return Object.fromEntries(good) as Partial<z.output<S>>;
}

function collect(env: Env, rules: EnvRules, problems: string[]): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value !== '') given[name] = value;
  }
  for (const [alias, name] of Object.entries(rules.aliases ?? {})) {
    const value = given[alias];
    if (value === undefined) continue;
    if (given[name] === undefined) given[name] = value;
    else if (given[name] !== value) {
      problems.push(`${alias}: differs from ${name}, which means the same. Set only ${name}.`);
    }
  }
  for (const name of rules.secrets ?? []) readSecretFile(name, given, problems);
  return given;
}

function readSecretFile(name: string, given: Record<string, string>, problems: string[]): void {
  const path = given[`${name}_FILE`];
  if (path === undefined) return;
  if (given[name] !== undefined) {
    problems.push(`${name}: given both directly and by ${name}_FILE. Keep one of them.`);
    return;
  }
  try {
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (value === '') problems.push(`${name}_FILE: the file is empty.`);
    else given[name] = value;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    problems.push(
      `${name}_FILE: the file cannot be read (${reason}). Check the path and its mode.`,
    );
  }
}

function unknownNames(env: Env, schema: z.ZodObject, rules: EnvRules): string[] {
  const known = new Set([
    ...Object.keys(schema.shape),
    ...Object.keys(rules.aliases ?? {}),
    ...(rules.secrets ?? []).map((name) => `${name}_FILE`),
    ...(rules.alsoKnown ?? []),
  ]);
  return Object.keys(env)
    .filter((name) => (rules.ownPrefixes ?? []).some((prefix) => name.startsWith(prefix)))
    .filter((name) => !known.has(name))
    .map((name) => `${name} is not a setting of this service: is it a typing mistake?`);
}

function describe(issue: z.core.$ZodIssue, given: Readonly<Record<string, string>>): string {
  const name = issue.path.join('.') || 'configuration';
  const missing = issue.code === 'invalid_type' && given[name] === undefined;
  return `${name}: ${missing ? `is not set. ${meaning(issue)}` : issue.message}`.trim();
}

function meaning(issue: z.core.$ZodIssue): string {
  // zod's own sentence ("Invalid input: expected string, received undefined") helps nobody.
  return issue.message.startsWith('Invalid input') ? 'Set it.' : issue.message;
}
