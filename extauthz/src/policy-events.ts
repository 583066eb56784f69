import { Counter, Gauge, type Logger, type Registry } from '@sallyport/shared/runtime';
import type { ShadowVerdict } from './decision.js';
import type { Policy } from './policy.js';

/** What happens to the policy, and what the rules on trial would have changed. */
export interface PolicyEvents {
  readonly loaded: (policy: Policy) => void;
  /** A changed file that cannot be used; the rules before it stay in force. */
  readonly refused: (problems: readonly string[]) => void;
  readonly shadowed: (verdict: ShadowVerdict) => void;
}

/** Ids of all files so far that may be labels; beyond it a reload loop would grow the metrics. */
const maxLabels = 1000;
const maxLoggedProblems = 20;

export function policyEvents(registry: Registry, logger: Logger): PolicyEvents {
  const registers = [registry];
  const version = new Gauge({
    name: 'extauthz_policy_version',
    help: 'How many times a policy has come into force since the start; 0 without a policy file',
    registers,
  });
  const rules = new Gauge({
    name: 'extauthz_policy_rules',
    help: 'Rules of the policy in force',
    registers,
  });
  const succeeded = new Gauge({
    name: 'extauthz_policy_last_reload_successful',
    help: 'Whether the policy in force is the file as it is: 0 after a change that cannot be used',
    registers,
  });
  const succeededAt = new Gauge({
    name: 'extauthz_policy_last_reload_success_timestamp_seconds',
    help: 'When the policy in force was loaded, epoch seconds',
    registers,
  });
  const shadow = new Counter({
    name: 'extauthz_policy_shadow_total',
    help: 'What rules on trial would have made of requests they cover',
    labelNames: ['rule', 'change'],
    registers,
  });
  const labels = new Set<string>();
  let loads = 0;

  return {
    loaded(policy) {
      loads += 1;
      version.set(loads);
      rules.set(policy.ruleCount);
      succeeded.set(1);
      succeededAt.setToCurrentTime();
      for (const id of policy.ids) if (labels.size < maxLabels) labels.add(id);
      logger.info({ version: loads, rules: policy.ruleCount }, 'the policy is in force');
    },
    refused(problems) {
      succeeded.set(0);
      logger.error(
        { version: loads, problems: problems.slice(0, maxLoggedProblems) },
        'the changed policy file cannot be used; the policy before it stays in force',
      );
    },
    shadowed({ rule, change }) {
      shadow.inc({ rule: labels.has(rule) ? rule : 'other', change });
    },
  };
}
