import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type PathClass = 'ambiguous' | 'protected' | 'public';

const corpus = join(import.meta.dirname, '../corpus');

/** The rules under which the corpus' classes hold. */
export const corpusPolicyFile = join(corpus, 'policy.yaml');

/** test/corpus/paths.txt */
export function corpusPaths(): { readonly expected: PathClass; readonly path: string }[] {
  return readFileSync(join(corpus, 'paths.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [expected = '', ...rest] = line.split(' ');
      return { expected: expected as PathClass, path: JSON.parse(rest.join(' ')) as string };
    });
}
