import type { Health, Logger, Unit } from '@sallyport/shared/runtime';
import { admission } from './admission.js';
import type { AnswerSettings } from './answer.js';
import type { Authorize } from './authorizer.js';
import { certificates } from './certificates.js';
import type { Config } from './config.js';
import type { Events } from './events.js';
import { forwardedHeadersWatch, type Unforwarded } from './forwarded-headers.js';
import { grpcCheckServer } from './grpc/server.js';
import { httpCheckServer } from './http/server.js';
import { loopWatch } from './loop-watch.js';
import { drainGrace } from './transport.js';

export interface ListenersOptions {
  readonly config: Config;
  readonly answers: AnswerSettings;
  readonly authorize: Authorize;
  readonly events: Events;
  readonly health: Health;
  readonly logger: Logger;
  /** Milliseconds. */
  readonly monotonic: () => number;
}

const unforwarded: Record<Unforwarded, string> = {
  everything:
    'no check over HTTP has brought a cookie, authorization, origin or sec-fetch header: does Envoy’s allowed_headers list them?',
  origin:
    'every change with a cookie came without Origin and Sec-Fetch-Site and was refused as csrf: list origin and the prefix sec-fetch- in Envoy’s allowed_headers',
};

/** The two transports before one decision, with what both share, in the order they start. */
export function listeners(options: ListenersOptions): Unit[] {
  const { config, answers, authorize, events, health, logger, monotonic } = options;
  const loop = loopWatch(monotonic);
  health.add('event loop', loop.isSteady);
  const { admit, inFlight } = admission({
    authorize,
    maxConcurrent: config.maxConcurrentChecks,
    deadline: config.checkDeadline,
    loop,
    monotonic,
  });
  events.watchInFlight(inFlight);
  const watchHeaders = forwardedHeadersWatch((missing) => logger.warn(unforwarded[missing]));
  const httpEvents: Events = {
    ...events,
    decided: (transport, facts, decision, seconds) => {
      watchHeaders(facts);
      events.decided(transport, facts, decision, seconds);
    },
  };
  const tls =
    config.tls &&
    certificates(config.tls, { interval: config.tlsReload, onLoad: events.certificates });
  // They stop one after the other, and what stops after them needs its time within the deadline too.
  const grace = Math.min(drainGrace, config.drainDeadline / 4);
  const shared = { answers, admit, certificates: tls, grace };
  return [
    loop,
    ...(tls === undefined ? [] : [tls]),
    httpCheckServer({
      ...shared,
      events: httpEvents,
      port: config.httpPort,
      isDraining: () => health.draining,
    }),
    grpcCheckServer({
      ...shared,
      events,
      port: config.grpcPort,
      health,
      reflection: config.grpcReflection,
    }),
  ];
}
