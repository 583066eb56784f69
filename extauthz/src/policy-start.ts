import { readFileSync } from 'node:fs';
import { ConfigError } from '@sallyport/shared/runtime';
import type { EdgeSettings } from './edge-settings.js';
import { readPolicy } from './policy-file.js';
import { policyWatch, type PolicyWatch } from './policy-watch.js';
import { sessionPolicy } from './policy.js';
import type { PolicyEvents } from './policy-events.js';

/**
 * The policy as configured. A file that is there but bad is refused at the start, when somebody is
 * looking; without one, everything needs a session.
 * @throws ConfigError with every problem of the file
 */
export function openPolicy({
  policyFile,
  origins,
}: Pick<EdgeSettings, 'policyFile' | 'origins'>): (events: PolicyEvents) => PolicyWatch {
  if (policyFile === undefined) return () => withoutFile(sessionPolicy(origins));
  const read = (text: string): ReturnType<typeof readPolicy> => readPolicy(text, origins);
  const text = readText(policyFile);
  const reading = read(text);
  if ('problems' in reading) {
    throw new ConfigError(reading.problems.map((line) => `EXTAUTHZ_POLICY_FILE: ${line}`));
  }
  const { policy } = reading;
  return (events) => {
    events.loaded(policy);
    return policyWatch({
      file: policyFile,
      initial: { text, policy },
      read,
      onReload: events.loaded,
      onBad: events.refused,
    });
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new ConfigError([
      `EXTAUTHZ_POLICY_FILE: the file cannot be read (${code}). Check the path and its mode.`,
    ]);
  }
}

function withoutFile(policy: ReturnType<PolicyWatch['current']>): PolicyWatch {
  const nothing = (): Promise<void> => Promise.resolve();
  return { name: 'policy', current: () => policy, start: nothing, stop: nothing };
}
