import { LineCounter, parseAllDocuments, type Document } from 'yaml';
import type { z } from 'zod';
import type { Origins } from './csrf.js';
import { compilePolicy, type Policy } from './policy.js';
import { policySchema } from './policy-schema.js';
import { sessionRule, type Requirement, type Rule } from './rule.js';

export type PolicyReading =
  | { readonly policy: Policy }
  /** One line each, in the order of the file, with the place and the fix. */
  | { readonly problems: readonly string[] };

interface Problem {
  readonly line: number;
  readonly text: string;
}

type Path = readonly PropertyKey[];
type ParsedRule = z.output<typeof policySchema>['rules'][number];

/** A policy file's text, compiled; or everything that is wrong with it, at once. */
export function readPolicy(text: string, origins: Origins): PolicyReading {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined)
    return { problems: ['line 1: the file is empty. Start it with "version: 1".'] };
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
    line: lines.linePos(error.pos[0]).line,
    // Behind the first line yaml draws the place with arrows: the number says it here.
    text: `${(error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')}. Correct the YAML.`,
  }));
  const [, second] = documents;
  if (second !== undefined) {
    const line = lines.linePos(second.range[0]).line;
    problems.push({ line, text: 'a second document begins. Keep one per file.' });
  }
  if (problems.length > 0) return { problems: problems.map(sentence) };

  const lineOf = (path: Path): number => lines.linePos(offsetOf(document, path)).line;
  const data = plain(document);
  const result = policySchema.safeParse(data);
  if (!result.success) {
    for (const issue of result.error.issues)
      problems.push(...issueProblems(issue, document, lineOf));
  }
  problems.push(...repeatedIds(data, lineOf));
  if (!result.success || problems.length > 0) {
    problems.sort((a, b) => a.line - b.line);
    return { problems: problems.map(sentence) };
  }
  const rules = result.data.rules.map((parsed) => ruleOf(parsed, origins));
  const fallback = result.data.default === 'authenticated' ? sessionRule(origins) : undefined;
  return { policy: compilePolicy(rules, fallback) };
}

function ruleOf(parsed: ParsedRule, origins: Origins): Rule {
  return {
    id: parsed.id,
    methods: parsed.methods === undefined ? undefined : methodSet(parsed.methods),
    paths: typeof parsed.path === 'string' ? [parsed.path] : parsed.path,
    allow: parsed.allow as Requirement,
    csrf: parsed.csrf === false ? undefined : origins,
    preflight: parsed.preflight === 'allow',
    shadow: parsed.shadow === true,
  };
}

/** HEAD is answered by GET's handler nearly everywhere, so whoever guards GET means HEAD too. */
function methodSet(methods: readonly string[]): ReadonlySet<string> {
  return new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods);
}

/** From the plain data, so that they are found beside whatever else is wrong. */
function repeatedIds(data: unknown, lineOf: (path: Path) => number): Problem[] {
  const { rules } = (data ?? {}) as { rules?: unknown };
  const seen = new Map<unknown, number>();
  return (Array.isArray(rules) ? rules : []).flatMap((rule: unknown, index) => {
    const { id } = (rule ?? {}) as { id?: unknown };
    if (typeof id !== 'string') return [];
    const line = lineOf(['rules', index, 'id']);
    const before = seen.get(id);
    seen.set(id, line);
    if (before === undefined) return [];
    const what = `rules[${index}].id: "${id}" is taken by the rule of line ${before}.`;
    return [{ line, text: `${what} Give every rule its own.` }];
  });
}

/** As plain data. Aliases are few or none in an honest file; a bomb of them throws inside yaml. */
function plain(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    return undefined;
  }
}

function issueProblems(
  issue: z.core.$ZodIssue,
  document: Document.Parsed,
  lineOf: (path: Path) => number,
): Problem[] {
  const where = (path: Path): string =>
    path
      .map((key, at) =>
        typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${String(key)}`,
      )
      .join('');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      line: lineOf([...issue.path, key]),
      text: `${where([...issue.path, key])}: is unknown. Is it a typing mistake?`,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The alternative that was meant: the one whose outermost kind is right.
    const meant = issue.errors.find((errors) => !errors.some(isOfAnotherKind));
    if (meant !== undefined) {
      return meant.flatMap((one) =>
        issueProblems({ ...one, path: [...issue.path, ...one.path] }, document, lineOf),
      );
    }
  }
  const missing = issue.path.length > 0 && !document.hasIn([...issue.path]);
  const message = missing ? `is missing: it ${issue.message}` : issue.message;
  const prefix = where(issue.path);
  return [{ line: lineOf(issue.path), text: prefix === '' ? message : `${prefix}: ${message}` }];
}

function isOfAnotherKind({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

/** Where the key of a path stands, or of its nearest parent that is there. */
function offsetOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = document.getIn(path.slice(0, length - 1), true) ?? document.contents;
    const offset = offsetIn(parent, path[length - 1]);
    if (offset !== undefined) return offset;
  }
  return document.range[0];
}

interface YamlNode {
  readonly range?: readonly [number, number, number] | null;
  readonly items?: readonly (YamlNode & {
    readonly key?: { readonly value?: unknown } & YamlNode;
  })[];
}

function offsetIn(parent: unknown, key: PropertyKey | undefined): number | undefined {
  const { items } = (parent ?? {}) as YamlNode;
  if (items === undefined) return undefined;
  if (typeof key === 'number') return items[key]?.range?.[0];
  return items.find((item) => item.key?.value === key)?.key?.range?.[0];
}

function sentence({ line, text }: Problem): string {
  return `line ${line}: ${text}`;
}
