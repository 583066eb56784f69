import type { Proof } from './figure.js';
import { chaosRedis } from './proofs/chaos-redis.js';
import { generatedProofs } from './proofs/generated.js';
import { headersThroughEnvoy } from './proofs/headers-through-envoy.js';
import { killReplica } from './proofs/kill-replica.js';
import { outage } from './proofs/outage.js';
import { recovery } from './proofs/recovery.js';
import { revocationProofs } from './proofs/revocation.js';
import { rollingRestart } from './proofs/rolling-restart.js';

/** By name: `npm run figures -- --only chaos-redis,recovery`. */
export const proofs: readonly Proof[] = [
  ...revocationProofs,
  chaosRedis,
  recovery,
  outage,
  headersThroughEnvoy,
  killReplica,
  rollingRestart,
  ...generatedProofs,
];
