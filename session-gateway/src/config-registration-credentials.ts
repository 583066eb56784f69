import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Fields of an entry that name files. */
const fields = [
  'clientSecretFile',
  'privateKeyFile',
  'clientCertificateFile',
  'clientCertificateKeyFile',
] as const;
type Field = (typeof fields)[number];

/** What stands in them. */
export type CredentialTexts = Readonly<Partial<Record<Field, string>>>;

/** Reads the files that an entry names; their paths may be relative to `folder`. */
export function readCredentials(
  entry: Readonly<Partial<Record<Field, string | undefined>>>,
  folder: string,
  place: (field: string) => string,
): {
  readonly texts: CredentialTexts;
  readonly paths: readonly string[];
  readonly problems: readonly string[];
} {
  const texts: Partial<Record<Field, string>> = {};
  const paths: string[] = [];
  const problems: string[] = [];
  for (const field of fields) {
    const name = entry[field];
    if (name === undefined) continue;
    const path = resolve(folder, name);
    paths.push(path);
    const text = readText(path);
    if ('value' in text) texts[field] = text.value;
    else problems.push(`${place(field)}: ${text.problem}`);
  }
  return { texts, paths, problems };
}

export function readText(path: string): { readonly value: string } | { readonly problem: string } {
  try {
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    return value === '' ? { problem: 'the file is empty.' } : { value };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    return { problem: `the file cannot be read (${reason}). Check the path and its mode.` };
  }
}
