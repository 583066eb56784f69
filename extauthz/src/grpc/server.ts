import { Server, status, type ServiceDefinition } from '@grpc/grpc-js';
import type { Health, Unit } from '@sallyport/shared/runtime';
import type { Admit } from '../admission.js';
import { credentialChanges, denialOf, extraHeaders, type AnswerSettings } from '../answer.js';
import type { Certificates } from '../certificates.js';
import type { Decision } from '../decision.js';
import type { Events } from '../events.js';
import { maxCheckBytes } from '../header-limits.js';
import type { RequestFacts } from '../request-facts.js';
import { drainGrace } from '../transport.js';
import { decodeCheckRequest } from './codec/check-request.js';
import { encodeAllow } from './codec/check-response.js';
import { encodeDenial } from './codec/denied-response.js';
import { connections, type ConnectionLimits } from './connections.js';
import { addHealthService } from './health-service.js';
import { addReflectionService } from './reflection.js';
import { takeUnaryCalls, type UnaryHandler } from './unary-calls.js';

export interface GrpcCheckServer extends Unit {
  readonly port: number;
}

export interface GrpcCheckOptions {
  readonly port: number;
  readonly answers: AnswerSettings;
  readonly admit: Admit;
  readonly events: Events;
  readonly health: Health;
  readonly reflection?: boolean;
  readonly certificates?: Certificates | undefined;
  readonly limits?: Partial<GrpcLimits>;
  /** From the stop to the cut of what is still open, ms; `drainGrace` if left out. */
  readonly grace?: number;
}

export interface GrpcLimits extends ConnectionLimits {
  /** After this long a connection is asked whether anybody is there (PING), again and again; ms. */
  readonly keepaliveTime: number;
  /** One that has not answered by then is closed, ms: its peer may be gone without a FIN. */
  readonly keepaliveTimeout: number;
}

const defaultLimits: GrpcLimits = {
  connections: 16_384,
  opening: 10_000,
  keepaliveTime: 30_000,
  keepaliveTimeout: 5_000,
};

const serviceName = 'envoy.service.auth.v3.Authorization';
/** From a call's headers to its whole message, ms (TRUST T27). */
const messagePatience = 10_000;

const raw = (bytes: Buffer): Buffer => bytes;
const checkPath = `/${serviceName}/Check`;
/** The bytes go to our own codec as they are. */
const authorization: ServiceDefinition = {
  Check: {
    path: checkPath,
    requestStream: false,
    responseStream: false,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  },
};

/** `envoy.service.auth.v3.Authorization` and `grpc.health.v1.Health` on one port. */
export function grpcCheckServer(options: GrpcCheckOptions): GrpcCheckServer {
  const limits = { ...defaultLimits, ...options.limits };
  const server = new Server({
    'grpc.max_receive_message_length': maxCheckBytes,
    'grpc.max_concurrent_streams': 1024,
    'grpc.keepalive_time_ms': limits.keepaliveTime,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeout,
    // grpc-js counts every message of every call for a service that is not offered.
    'grpc.enable_channelz': 0,
    // MB per connection; grpc-js's own default is no limit at all (TRUST T27).
    'grpc-node.max_session_memory': 64,
  });
  const check = checkHandler(options);
  server.addService(authorization, {
    Check: ({ request }: { request: Buffer }, callback: Parameters<UnaryHandler>[1]) =>
      check(request, callback),
  });
  const health = addHealthService(server, options.health, [serviceName]);
  if (options.reflection) addReflectionService(server, [serviceName]);
  const open = connections(server, options.certificates, limits);
  const calls = takeUnaryCalls(
    server,
    {
      path: checkPath,
      maxMessage: maxCheckBytes,
      patience: messagePatience,
      endless: options.reflection ? '/grpc.reflection.' : undefined,
    },
    check,
  );
  let port = options.port;

  return {
    name: 'grpc check server',
    get port() {
      return port;
    },
    start: async () => {
      port = await open.start(options.port);
    },
    stop: async () => {
      health.stop();
      await open.drain(options.grace ?? drainGrace);
      calls.stop();
    },
  };
}

/** What a handler throws would end the process: nothing may leave this function. */
function checkHandler(options: GrpcCheckOptions): UnaryHandler {
  const { admit, events, answers } = options;
  return (message, callback) => {
    const arrived = performance.now();
    const failed = (error: unknown): void => {
      // No verdict: Envoy's status_on_error answers the client.
      events.failed('grpc', error);
      callback({ code: status.UNAVAILABLE, details: 'the check failed' });
    };
    try {
      const facts = decodeCheckRequest(message, answers.cookieName);
      if (typeof facts === 'string') {
        callback({ code: status.INVALID_ARGUMENT, details: facts });
        return;
      }
      const answer = (decision: Decision): void => {
        events.decided('grpc', facts, decision, (performance.now() - arrived) / 1000);
        callback(null, encode(decision, facts, answers));
      };
      const decision = admit(facts, arrived);
      if (decision instanceof Promise) decision.then(answer).catch(failed);
      else answer(decision);
    } catch (error) {
      failed(error);
    }
  };
}

function encode(decision: Decision, facts: RequestFacts, answers: AnswerSettings): Buffer {
  return decision.outcome === 'allow'
    ? encodeAllow(
        decision,
        credentialChanges(facts, answers.cookieName),
        extraHeaders(decision, answers),
      )
    : encodeDenial(denialOf(decision, facts, answers), decision);
}
