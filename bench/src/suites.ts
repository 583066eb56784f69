import type { Scenario } from './scenario.js';
import { growth as gatewayGrowth } from './gateway/scenarios/growth.js';
import { heap } from './gateway/scenarios/heap.js';
import { hot } from './gateway/scenarios/hot.js';
import { login } from './gateway/scenarios/login.js';
import { refresh } from './gateway/scenarios/refresh.js';
import { throughEnvoy } from './scenarios/envoy.js';
import { growth } from './scenarios/growth.js';
import { grpcHot } from './scenarios/grpc-hot.js';
import { httpHot } from './scenarios/http-hot.js';
import { memory } from './scenarios/memory.js';
import { replicas } from './scenarios/replicas.js';
import { revocation } from './scenarios/revocation.js';

const extauthz = [httpHot, grpcHot, throughEnvoy, replicas, growth, memory, ...revocation];
const gateway = [hot, login, refresh, gatewayGrowth, heap];

/** `npm run bench -- <suite>` */
export const suites: Readonly<Partial<Record<string, readonly Scenario[]>>> = {
  extauthz,
  gateway,
  all: [...extauthz, ...gateway],
};
