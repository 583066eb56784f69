import { parseArgs } from 'node:util';

export interface Chosen {
  /** What a bare word chose. */
  readonly suite: string;
  readonly only: readonly string[] | undefined;
  readonly short: boolean;
  readonly seed: string;
  readonly list: boolean;
  readonly help: boolean;
}

/** `[suite] --only a,b --quick|--short --seed text --list --help` */
export function readCommandLine(args: readonly string[], defaultSuite: string): Chosen {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      seed: { type: 'string', default: 'sallyport' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    suite: positionals[0] ?? defaultSuite,
    only: values.only?.split(','),
    short: values.quick || values.short,
    seed: values.seed,
    list: values.list,
    help: values.help,
  };
}

/** Those whose name was asked for. @throws Error on a name nobody has. */
export function pick<T extends { readonly name: string }>(
  all: readonly T[],
  only: readonly string[] | undefined,
): readonly T[] {
  const names = all.map(({ name }) => name);
  const unknown = only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(`nothing is called ${unknown.join(', ')}; there are: ${names.join(', ')}`);
  }
  return only === undefined ? all : all.filter(({ name }) => only.includes(name));
}
