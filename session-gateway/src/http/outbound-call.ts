import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { SecureContext } from 'node:tls';

export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
  readonly code = 'body_too_large';
}

export interface OutboundCall {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Gives the call up; its reason is what the caller is told. */
  readonly signal?: AbortSignal;
  /** Of the whole call, ms: `TimeoutError`. */
  readonly timeout?: number;
  /** Our certificate and key; https only. */
  readonly certificate?: SecureContext;
}

export interface OutboundAnswer {
  readonly status: number;
  readonly statusText: string;
  /** Name, value, name, value … as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/**
 * Idle connections go before the other side's usual 5 s are over: on one that is being closed a
 * call would be lost, and with it perhaps a refresh token. A `Keep-Alive: timeout` is obeyed.
 */
const idleTimeout = 4_000;
const agents = {
  http: new HttpAgent({ keepAlive: true, timeout: idleTimeout }),
  https: new HttpsAgent({ keepAlive: true, timeout: idleTimeout }),
};

/**
 * Connections are kept for each certificate apart: on a shared one a call would be made under
 * another's name. The pool's own key does not know the certificate of a SecureContext, so each has a
 * pool. No TLS session is resumed in them: every connection proves the key that is in force now, and
 * the identity of a certificate that was replaced is not carried on by its ticket.
 */
const agentsOf = new WeakMap<SecureContext, HttpsAgent>();

function agentFor(certificate: SecureContext | undefined): HttpsAgent {
  if (certificate === undefined) return agents.https;
  let agent = agentsOf.get(certificate);
  if (agent === undefined) {
    agent = new HttpsAgent({
      keepAlive: true,
      timeout: idleTimeout,
      maxCachedSessions: 0,
      secureContext: certificate,
    });
    agentsOf.set(certificate, agent);
  }
  return agent;
}

/**
 * One call to the provider or the permission service, its whole answer, no redirect followed. On
 * node:http: the built-in fetch, with its web streams, takes three to four times the CPU, and a
 * login calls three times (docs/performance.md).
 * @throws BodyTooLargeError beyond `limit` bytes; the signal's reason; Node's error of the connection
 */
export function outboundCall(
  url: string,
  call: OutboundCall,
  limit: number,
): Promise<OutboundAnswer> {
  const target = new URL(url);
  const isTls = target.protocol === 'https:';
  if (!isTls && target.protocol !== 'http:') throw new TypeError('neither http nor https');
  const { method = 'GET', headers, body, signal, timeout, certificate } = call;
  if (!isTls && certificate !== undefined) throw new TypeError('a certificate needs https');
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) throw signal.reason;
    const outgoing = (isTls ? httpsRequest : httpRequest)(target, {
      method,
      agent: isTls ? agentFor(certificate) : agents.http,
      ...(headers === undefined ? {} : { headers }),
    });
    const giveUp = (reason: Error): void => {
      finish();
      reject(reason);
      outgoing.destroy();
    };
    const aborted = (): void => giveUp(signal?.reason as Error);
    signal?.addEventListener('abort', aborted, { once: true });
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => giveUp(new DOMException('no answer in time', 'TimeoutError')), timeout);
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    };
    outgoing.on('error', giveUp);
    outgoing.on('response', (response) => {
      collect(response, limit, giveUp, (whole) => {
        finish();
        resolve({
          status: response.statusCode ?? 0,
          statusText: response.statusMessage ?? '',
          rawHeaders: response.rawHeaders,
          body: whole,
        });
      });
    });
    outgoing.end(body);
  });
}

function collect(
  response: IncomingMessage,
  limit: number,
  giveUp: (reason: Error) => void,
  done: (whole: Buffer) => void,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.byteLength;
    if (size > limit) giveUp(new BodyTooLargeError(`the answer is larger than ${limit} bytes`));
    else chunks.push(chunk);
  });
  // An answer that breaks off ends in an error, never in `end`.
  response.on('error', giveUp);
  response.on('end', () => done(Buffer.concat(chunks)));
}
