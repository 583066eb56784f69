import type { Health, Unit } from '@sallyport/shared/runtime';
import { admission } from './admission.js';
import type { Authorize } from './authorizer.js';
import { certificates } from './certificates.js';
import type { Config } from './config.js';
import type { Events } from './events.js';
import { grpcCheckServer } from './grpc/server.js';
import { httpCheckServer } from './http/server.js';
import { loopWatch } from './loop-watch.js';

export interface ListenersOptions {
  readonly config: Config;
  readonly authorize: Authorize;
  readonly events: Events;
  readonly health: Health;
  /** Milliseconds. */
  readonly monotonic: () => number;
}

/** The two transports before one decision, with what both share, in the order they start. */
export function listeners(options: ListenersOptions): Unit[] {
  const { config, authorize, events, health, monotonic } = options;
  const { cookieName } = config;
  const loop = loopWatch(monotonic);
  const { admit, inFlight } = admission({
    authorize,
    maxConcurrent: config.maxConcurrentChecks,
    deadline: config.checkDeadline,
    loop,
    monotonic,
  });
  events.watchInFlight(inFlight);
  const tls =
    config.tls &&
    certificates(config.tls, { interval: config.tlsReload, onLoad: events.certificates });
  const shared = { cookieName, admit, events, certificates: tls };
  return [
    loop,
    ...(tls === undefined ? [] : [tls]),
    httpCheckServer({ ...shared, port: config.httpPort }),
    grpcCheckServer({ ...shared, port: config.grpcPort, health }),
  ];
}
