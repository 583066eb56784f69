import { pairedRatio } from '../../goals.js';
import { benchRedis } from '../../parts/redis.js';
import { measure, type Timing } from '../../rounds.js';
import type { Scenario } from '../../scenario.js';
import { startPeers } from '../load/peers-process.js';
import {
  gatewayApplication,
  gatewayLogin,
  oidcApplication,
  oidcLogin,
  startGateway,
  startOidcApplication,
} from '../parts.js';
import { gatewayTiming, noopName, noopVariant, timingNote, variantOf } from '../variants.js';

/** Before that the compiler is still at it. */
const warmUpLogins = { quick: 300, full: 2_000 };

export const login: Scenario = {
  name: 'gateway-login',
  about: 'Logins end to end, 16 at a time, saturating, against one provider',
  run: async (bench, settings) => {
    const redis = await benchRedis(bench, { appendOnly: true });
    const [application, other] = [await gatewayApplication(), await oidcApplication()];
    const peers = await startPeers(bench, [application.client, other.client]);
    const gateway = await startGateway(bench, { name: 'gateway', application, redis, peers });
    const oidc = await startOidcApplication(bench, other, peers);
    const noop = await noopVariant(bench, peers);
    const timing: Timing = {
      ...gatewayTiming(settings),
      ...(settings.quick ? { roundMs: 1_000 } : {}),
      warmUpMs: 120_000,
      warmUpChecks: settings.quick ? warmUpLogins.quick : warmUpLogins.full,
    };
    const rows = await measure(
      [
        noop,
        variantOf({
          name: 'login',
          peers,
          work: gatewayLogin(gateway.port),
          services: [gateway],
          redis,
        }),
        variantOf({
          name: 'login, express-openid-connect',
          peers,
          work: oidcLogin(oidc.port),
          services: [oidc],
        }),
      ],
      timing,
    );
    return {
      tables: [{ title: login.about, rows }],
      notes: [
        timingNote(login.name, timing),
        ...(settings.quick ? ['gateway-login: for --quick that is too few to warm up'] : []),
      ],
      goals: [
        pairedRatio(
          'gateway-login-to-oidc',
          rows,
          'service',
          ['login', 'login, express-openid-connect'],
          1,
        ),
        pairedRatio('gateway-login', rows, 'service', ['login', noopName], 30),
      ],
    };
  },
};
