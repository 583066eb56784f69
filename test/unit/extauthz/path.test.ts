import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { check } from '../../../extauthz/src/check.js';
import { readPath } from '../../../extauthz/src/path.js';
import { readPolicy } from '../../../extauthz/src/policy-file.js';
import { origins, someFacts } from '../../support/facts.js';
import { corpusPaths, corpusPolicyFile } from '../../support/paths.js';

describe('the corpus of paths', () => {
  const reading = readPolicy(readFileSync(corpusPolicyFile, 'utf8'), origins);
  const expectedAnswer = {
    ambiguous: { reason: 'ambiguous_path' },
    protected: { reason: 'no_credential' },
    public: { basis: 'public' },
  };

  it('has at least 200 paths, each once', () => {
    const paths = corpusPaths().map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths.length).toBeGreaterThanOrEqual(200);
  });

  it.each(corpusPaths())('finds $path $expected', ({ expected, path }) => {
    if ('problems' in reading) throw new Error(reading.problems.join('\n'));
    const facts = someFacts({ target: path, cookie: undefined });
    const decision = check(facts, { outcome: 'not_asked' }, reading.policy, 0);
    expect(decision).toMatchObject(expectedAnswer[expected]);
  });
});

describe('readPath', () => {
  it('lets every honestly encoded text pass, whatever the script', () => {
    const segment = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !text.startsWith('.'))
      .filter((text) => !/[\\/;?#%]|\p{Cc}/u.test(text) && !/[/\\;]/.test(text.normalize('NFKC')))
      .filter((text) => !/[\u2028\u2029\ufeff\u2024\u2025\uff0e\ufe52\ufe30]/.test(text));
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        const path = `/${segments.map(encodeURIComponent).join('/')}`;
        expect(readPath(path)).not.toBe('ambiguous');
      }),
      { numRuns: 5000 },
    );
  });

  it('refuses all that folds into structure by the engine’s own Unicode tables', () => {
    for (let code = 0x80; code < 0x11_0000; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      if (/[/\\;]|^\.{1,2}$/.test(character.normalize('NFKC'))) {
        expect([code.toString(16), readPath(`/${encodeURIComponent(character)}`)]).toEqual([
          code.toString(16),
          'ambiguous',
        ]);
      }
    }
  });

  it('passes nothing that WHATWG’s parser would change into another path', () => {
    const parts = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2F',
      '%5c',
      '\\',
      ';',
      'a',
      '%61',
      '%C3%A9',
      '%',
      '//',
      '\t',
      '?',
      '#',
      '%252e',
      ' ',
    );
    let passed = 0;
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), (texts) => {
        const path = `/${texts.join('')}`;
        if (readPath(path) === 'ambiguous') return;
        passed += 1;
        expect(new URL(`http://edge${path}`).pathname).toBe(path);
        expect(decodeURIComponent(path).split('/')).toHaveLength(path.split('/').length);
      }),
      { numRuns: 20_000 },
    );
    expect(passed).toBeGreaterThan(500);
  });
});
