import { fileURLToPath } from 'node:url';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  status,
  type handleUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { HealthImplementation } from 'grpc-health-check';
import type { Health, Unit } from '@sallyport/shared/runtime';
import type { AnswerSettings } from '../answer.js';
import type { Authorize } from '../authorizer.js';
import type { Events } from '../events.js';
import { factsOfCheckRequest } from './check-request.js';
import { checkResponseOf } from './check-response.js';
import type { CheckRequest, CheckResponse } from './messages.js';

export interface GrpcCheckServer extends Unit {
  readonly port: number;
}

export interface GrpcCheckOptions {
  readonly port: number;
  readonly answers: AnswerSettings;
  readonly authorize: Authorize;
  readonly events: Events;
  readonly health: Health;
}

const serviceName = 'envoy.service.auth.v3.Authorization';
/** A check has headers only, and Envoy bounds those at 32 KiB (TRUST T27). */
const maxMessageBytes = 65_536;
const healthInterval = 500;

/** `envoy.service.auth.v3.Authorization` and `grpc.health.v1.Health` on one port. */
export function grpcCheckServer(options: GrpcCheckOptions): GrpcCheckServer {
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_concurrent_streams': 1024,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 5_000,
  });
  server.addService(loadService(), { Check: checkHandler(options) });
  const health = new HealthImplementation({ '': 'NOT_SERVING', [serviceName]: 'NOT_SERVING' });
  health.addToServer(server);
  let port = options.port;
  let timer: NodeJS.Timeout | undefined;

  const publishHealth = async (): Promise<void> => {
    const state = (await options.health.ready()).ready ? 'SERVING' : 'NOT_SERVING';
    health.setStatus('', state);
    health.setStatus(serviceName, state);
  };

  return {
    name: 'grpc check server',
    get port() {
      return port;
    },
    start: async () => {
      port = await bind(server, options.port);
      await publishHealth();
      timer = setInterval(() => void publishHealth(), healthInterval);
    },
    stop: async () => {
      clearInterval(timer);
      await drain(server);
    },
  };
}

function checkHandler({
  authorize,
  events,
  answers,
}: GrpcCheckOptions): handleUnaryCall<CheckRequest, CheckResponse> {
  return (call, callback) => {
    const arrived = performance.now();
    const facts = factsOfCheckRequest(call.request, answers.cookieName);
    if (facts === undefined) {
      callback({ code: status.INVALID_ARGUMENT, details: 'the check carries no HTTP request' });
      return;
    }
    Promise.resolve(authorize(facts)).then(
      (decision) => {
        events.decided('grpc', facts, decision, (performance.now() - arrived) / 1000);
        callback(null, checkResponseOf(decision, facts, answers));
      },
      (error: unknown) => {
        // No verdict: Envoy's status_on_error answers the client.
        events.failed('grpc', error);
        callback({ code: status.UNAVAILABLE, details: 'the check failed' });
      },
    );
  };
}

function loadService(): ServiceDefinition {
  const directory = fileURLToPath(new URL('../../../proto', import.meta.url));
  const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
    includeDirs: [directory],
    keepCase: true,
    enums: Number,
  });
  const loaded = loadPackageDefinition(definition) as unknown as {
    envoy: { service: { auth: { v3: { Authorization: { service: ServiceDefinition } } } } };
  };
  return loaded.envoy.service.auth.v3.Authorization.service;
}

function bind(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`[::]:${String(port)}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(new Error(`port ${port} cannot be used: ${error.message}`, { cause: error }));
    });
  });
}

/** GOAWAY, then the calls under way are finished. */
function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.tryShutdown((error) => {
      if (error) server.forceShutdown();
      resolve();
    });
  });
}
