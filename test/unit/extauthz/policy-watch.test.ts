import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { readPolicy } from '../../../extauthz/src/policy-file.js';
import { policyWatch } from '../../../extauthz/src/policy-watch.js';
import { origins } from '../../support/facts.js';
import { until } from '../../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-policy-watch-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'policy.yaml');
const rule = (number: number): string =>
  `  - { id: r${String(number)}, path: /api/r${String(number)}, allow: public }\n`;

it('takes a file that is written in place when it is whole, not each part that could be one', async () => {
  const begin = `version: 1\nrules:\n${rule(0)}`;
  writeFileSync(file, begin);
  const read = (text: string) => readPolicy(text, origins);
  const initial = read(begin);
  if ('problems' in initial) throw new Error(initial.problems.join());
  const taken: number[] = [];
  const bad: unknown[] = [];
  const watch = policyWatch({
    ...{ file, read, pollInterval: 20, settleTime: 1000 },
    initial: { text: begin, policy: initial.policy },
    onReload: ({ ruleCount }) => taken.push(ruleCount),
    onBad: (problems) => bad.push(problems),
  });
  await watch.start();
  // Each of these is a good policy; so much later than the one before that it is looked at.
  for (let number = 1; number <= 10; number += 1) {
    appendFileSync(file, rule(number));
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  await until(() => taken.length > 0);
  // Gone for a moment, as where an editor deletes and writes anew.
  rmSync(file);
  await new Promise((resolve) => setTimeout(resolve, 40));
  writeFileSync(file, begin);
  await until(() => taken.length > 1);
  await watch.stop();
  expect(taken).toEqual([11, 1]);
  expect(bad).toEqual([]);
});
