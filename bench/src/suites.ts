import type { Scenario } from './scenario.js';
import { throughEnvoy } from './scenarios/envoy.js';
import { growth } from './scenarios/growth.js';
import { grpcHot } from './scenarios/grpc-hot.js';
import { httpHot } from './scenarios/http-hot.js';
import { memory } from './scenarios/memory.js';
import { replicas } from './scenarios/replicas.js';
import { revocation } from './scenarios/revocation.js';

/** `npm run bench -- <suite>` */
export const suites: Readonly<Partial<Record<string, readonly Scenario[]>>> = {
  extauthz: [httpHot, grpcHot, throughEnvoy, replicas, growth, memory, ...revocation],
};
