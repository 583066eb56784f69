import { Histogram, type Registry } from '@sallyport/shared/runtime';
import { labelled } from './labelled.js';

/** Told of every call to another service: how it ended and how long it took. */
export type ObserveCall = (outcome: 'ok' | 'failed', seconds: number) => void;

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Does the call and tells. `failed`: no answer, or one that is of no use. */
export async function timed<T>(
  observe: ObserveCall | undefined,
  call: () => Promise<T>,
): Promise<T> {
  if (observe === undefined) return call();
  const begun = performance.now();
  let outcome: 'ok' | 'failed' = 'failed';
  try {
    const answer = await call();
    outcome = 'ok';
    return answer;
  } finally {
    observe(outcome, (performance.now() - begun) / 1000);
  }
}

export interface CallMetrics {
  readonly idp: (id: string) => ObserveCall;
  readonly permissionService: ObserveCall;
}

/** Labels: registrations of the configuration, and two outcomes (ATTACKS 33). */
export function callMetrics(registry: Registry): CallMetrics {
  const registers = [registry];
  const idps = new Histogram({
    name: 'gateway_idp_seconds',
    help: 'Calls to an identity provider: metadata, keys, tokens, UserInfo, revocation',
    labelNames: ['idp', 'outcome'],
    buckets,
    registers,
  });
  const permissions = new Histogram({
    name: 'gateway_permission_service_seconds',
    help: 'Attempts to ask the permission service',
    labelNames: ['outcome'],
    buckets,
    registers,
  });
  const idpsOf = labelled((idp, outcome) => idps.labels(idp, outcome));
  const permissionsOf = labelled((outcome) => permissions.labels(outcome));
  return {
    idp: (idp) => (outcome, seconds) => idpsOf(idp, outcome).observe(seconds),
    permissionService: (outcome, seconds) => permissionsOf(outcome).observe(seconds),
  };
}
