import {
  createServer as createPlainServer,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { closeServer, listen, type Unit } from '@sallyport/shared/runtime';
import type { Admit } from '../admission.js';
import { denial, denialOf, type AnswerSettings } from '../answer.js';
import type { Certificates } from '../certificates.js';
import type { Decision } from '../decision.js';
import type { Events } from '../events.js';
import { maxCheckBytes } from '../header-limits.js';
import { requestFacts, type RequestFacts } from '../request-facts.js';
import { drainGrace } from '../transport.js';
import { CheckRequest } from './check-request.js';
import { writeAllow, writeDenial } from './response.js';

export interface HttpCheckServer extends Unit {
  readonly port: number;
}

export interface HttpCheckOptions {
  readonly port: number;
  readonly answers: AnswerSettings;
  readonly admit: Admit;
  readonly events: Events;
  readonly certificates?: Certificates | undefined;
  /** From then on every answer closes its connection, so that Envoy goes elsewhere before we stop. */
  readonly isDraining: () => boolean;
  /** From the stop to the cut of what is still open, ms; `drainGrace` if left out. */
  readonly grace?: number;
}

export const serverOptions: ServerOptions<typeof CheckRequest> = {
  IncomingMessage: CheckRequest,
  maxHeaderSize: maxCheckBytes,
  // Above Envoy's upstream idle timeout (50 s), or Envoy meets connections that are being closed.
  keepAliveTimeout: 75_000,
  // A peer that sends its request by the drop is cut off within 11 s (TRUST T27).
  requestTimeout: 10_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  insecureHTTPParser: false,
};
/** Node gives each 120 s, and `requestTimeout` only begins after it, ms (TRUST T27). */
const handshakeTimeout = 10_000;
/** Far above what Envoy's workers open; each costs some KiB. */
const maxConnections = 16_384;

/**
 * ext_authz over HTTP: every method and path is a check (TRUST T29), 200 is an allow, anything
 * else goes to the client.
 */
export function httpCheckServer(options: HttpCheckOptions): HttpCheckServer {
  const { certificates } = options;
  const server = createServer(certificates, (request, response) => {
    if (options.isDraining()) response.shouldKeepAlive = false;
    handle(options, request, response);
  });
  server.maxRequestsPerSocket = 0;
  // Node drops the lines after the 2000th without a word, and a second cookie with them; here the
  // size alone is the limit.
  server.maxHeadersCount = 0;
  server.maxConnections = maxConnections;
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  // Node hands CONNECT out beside the handler: it is no check. An Upgrade stays one.
  server.on('connect', (_request, socket) => {
    socket.on('error', () => undefined);
    // Taken out of Node's hands: no time limit holds for it, and nobody reads what it sends.
    const answer = 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n';
    socket.end(answer, () => socket.destroy());
  });
  return {
    name: 'http check server',
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? options.port;
    },
    start: () => listen(server, options.port),
    stop: () => drain(server, open, options.grace ?? drainGrace),
  };
}

/** Checks under way are answered. Node knows only of connections that have said something over TLS. */
async function drain(server: Server, open: ReadonlySet<Socket>, grace: number): Promise<void> {
  const cut = setTimeout(() => open.forEach((socket) => socket.destroy()), grace);
  await closeServer(server, grace);
  clearTimeout(cut);
}

function createServer(
  certificates: Certificates | undefined,
  handler: (request: CheckRequest, response: ServerResponse) => void,
): Server {
  if (certificates === undefined) return createPlainServer(serverOptions, handler);
  const { mutual } = certificates;
  const server = createTlsServer(
    { ...serverOptions, handshakeTimeout, requestCert: mutual, rejectUnauthorized: mutual },
    handler,
  );
  certificates.onChange((certificate) => server.setSecureContext(certificate));
  server.once('listening', () => server.setSecureContext(certificates.current()));
  return server;
}

function handle(options: HttpCheckOptions, request: CheckRequest, response: ServerResponse): void {
  const arrived = performance.now();
  const { admit, answers, events } = options;
  try {
    // The body is never read, a check decides on headers; Node discards it with the answer.
    const facts = requestFacts(
      request.method ?? '',
      request.url ?? '',
      request.decisive,
      answers.cookieName,
    );
    const decision = admit(facts, arrived);
    if (decision instanceof Promise) {
      decision
        .then((settled) => answer(options, response, facts, settled, arrived))
        .catch((error: unknown) => fail(events, response, error));
    } else answer(options, response, facts, decision, arrived);
  } catch (error) {
    fail(events, response, error);
  }
}

function answer(
  { events, answers }: HttpCheckOptions,
  response: ServerResponse,
  facts: RequestFacts,
  decision: Decision,
  arrived: number,
): void {
  events.decided('http', facts, decision, (performance.now() - arrived) / 1000);
  if (decision.outcome === 'allow') writeAllow(response, decision, facts, answers);
  else writeDenial(response, denialOf(decision, facts, answers));
}

function fail(events: Events, response: ServerResponse, error: unknown): void {
  events.failed('http', error);
  if (response.headersSent) response.destroy();
  else writeDenial(response, denial('store_unavailable'));
}
