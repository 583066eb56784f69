import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer, listen, type Unit } from '@sallyport/shared/runtime';
import { denial, denialOf, upstreamChanges, type AnswerSettings } from '../answer.js';
import type { Authorize } from '../authorizer.js';
import { deny, type Decision } from '../decision.js';
import type { Events } from '../events.js';
import {
  requestFacts,
  takeHeader,
  type InboundHeaders,
  type RequestFacts,
} from '../request-facts.js';

export interface HttpCheckServer extends Unit {
  readonly port: number;
}

export interface HttpCheckOptions {
  readonly port: number;
  readonly answers: AnswerSettings;
  readonly authorize: Authorize;
  readonly events: Events;
}

/** Above Envoy's 32 KiB and what it adds, so that this server never refuses what Envoy let in. */
const maxHeaderBytes = 65_536;
/** Above Envoy's upstream idle timeout (50 s), or Envoy meets connections that are being closed. */
const keepAliveTimeout = 75_000;

/**
 * ext_authz over HTTP: every method and path is a check (TRUST T29), 200 is an allow, anything
 * else goes to the client.
 */
export function httpCheckServer(options: HttpCheckOptions): HttpCheckServer {
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout,
      requestTimeout: 10_000,
      headersTimeout: 10_000,
    },
    (request, response) => {
      handle(options, request, response).catch((error: unknown) => {
        options.events.failed('http', error);
        if (!response.headersSent)
          writeDecision(response, deny('store_unavailable'), undefined, options.answers);
        else response.destroy();
      });
    },
  );
  server.maxRequestsPerSocket = 0;
  // Node answers CONNECT and Upgrade outside the handler: neither is a check.
  server.on('connect', (_request, socket) => socket.destroy());
  return {
    name: 'http check server',
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? options.port;
    },
    start: () => listen(server, options.port),
    stop: () => closeServer(server),
  };
}

async function handle(
  { answers, authorize, events }: HttpCheckOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const arrived = performance.now();
  const facts = requestFacts(
    request.method ?? '',
    request.url ?? '',
    inboundHeaders(request.rawHeaders),
    answers.cookieName,
  );
  // The body is never read: a check decides on headers.
  request.resume();
  const decision = await authorize(facts);
  events.decided('http', facts, decision, (performance.now() - arrived) / 1000);
  writeDecision(response, decision, facts, answers);
}

/** From the raw lines: Node's own view drops a repeated Authorization silently. */
function inboundHeaders(raw: readonly string[]): InboundHeaders {
  const headers: InboundHeaders = {};
  for (let index = 0; index + 1 < raw.length; index += 2) {
    takeHeader(headers, (raw[index] ?? '').toLowerCase(), raw[index + 1] ?? '');
  }
  return headers;
}

function writeDecision(
  response: ServerResponse,
  decision: Decision,
  facts: RequestFacts | undefined,
  answers: AnswerSettings,
): void {
  response.sendDate = false;
  if (decision.outcome === 'allow' && facts !== undefined) {
    const { set, remove } = upstreamChanges(decision, facts, answers);
    const headers = set.flat();
    if (remove.length > 0) headers.push('x-envoy-auth-headers-to-remove', remove.join(','));
    headers.push('content-length', '0');
    response.writeHead(200, headers);
    response.end();
    return;
  }
  const { status, headers, body } =
    decision.outcome === 'deny' && facts !== undefined
      ? denialOf(decision, facts, answers)
      : denial('store_unavailable');
  response.writeHead(status, [
    ...headers.flat(),
    'content-length',
    String(Buffer.byteLength(body)),
  ]);
  response.end(body);
}
