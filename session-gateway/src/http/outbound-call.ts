import type { SecureContext } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';

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
  /** Names and values as they came. */
  readonly headers: [name: string, value: string][];
  readonly body: Buffer;
}

/**
 * Idle connections go before the other side's usual 5 s are over: on one that is being closed a
 * call would be lost, and with it perhaps a refresh token. A `Keep-Alive: timeout` is obeyed.
 */
const settings: Agent.Options = {
  keepAliveTimeout: 4_000,
  // The whole call has a time, not its parts.
  headersTimeout: 0,
  bodyTimeout: 0,
};
const nameless = new Agent(settings);

/**
 * Connections are kept for each certificate apart: on a shared one a call would be made under
 * another's name. A pool does not know the certificate of a SecureContext, so each has its own. No
 * TLS session is resumed in them: every connection proves the key that is in force now, and the
 * identity of a certificate that was replaced is not carried on by its ticket.
 */
const agentsOf = new WeakMap<SecureContext, Agent>();

function agentFor(certificate: SecureContext | undefined): Agent {
  if (certificate === undefined) return nameless;
  let agent = agentsOf.get(certificate);
  if (agent === undefined) {
    agent = new Agent({
      ...settings,
      connect: { secureContext: certificate, maxCachedSessions: 0 },
    });
    agentsOf.set(certificate, agent);
  }
  return agent;
}

/**
 * One call to the provider or the permission service, its whole answer, no redirect followed. By
 * undici's dispatcher: node:http takes two and a half times the CPU, the built-in fetch with its web
 * streams more than that, and a login calls three times (docs/performance.md).
 * @throws BodyTooLargeError beyond `limit` bytes; the signal's reason; the connection's error
 */
export function outboundCall(
  url: string,
  call: OutboundCall,
  limit: number,
): Promise<OutboundAnswer> {
  const { protocol, origin, pathname, search } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') throw new TypeError('neither http nor https');
  const { method = 'GET', headers, body, signal, timeout, certificate } = call;
  if (protocol === 'http:' && certificate !== undefined) {
    throw new TypeError('a certificate needs https');
  }
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) throw signal.reason;
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    };
    const handler = new AnswerHandler(
      limit,
      (answer) => {
        finish();
        resolve(answer);
      },
      (error) => {
        finish();
        reject(error);
      },
    );
    const aborted = (): void => handler.giveUp(signal?.reason as Error);
    signal?.addEventListener('abort', aborted, { once: true });
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(
            () => handler.giveUp(new DOMException('no answer in time', 'TimeoutError')),
            timeout,
          );
    agentFor(certificate).dispatch(
      {
        origin,
        path: pathname + search,
        method: method,
        ...(headers === undefined ? {} : { headers }),
        ...(body === undefined ? {} : { body }),
      },
      handler,
    );
  });
}

/** Gathers an answer, and says once how it ended. */
class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #limit: number;
  readonly #done: (answer: OutboundAnswer) => void;
  readonly #failed: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #head: Omit<OutboundAnswer, 'body'> | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #givenUp: Error | undefined;

  constructor(
    limit: number,
    done: (answer: OutboundAnswer) => void,
    failed: (error: Error) => void,
  ) {
    this.#limit = limit;
    this.#done = done;
    this.#failed = failed;
  }

  /** Ends the call: also one that waits for its connection. */
  giveUp(reason: Error): void {
    if (this.#givenUp !== undefined) return;
    this.#givenUp = reason;
    this.#failed(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#givenUp !== undefined) controller.abort(this.#givenUp);
  }

  /** Called for 1xx too; the last one counts. */
  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    statusText = '',
  ): void {
    const pairs: [string, string][] = [];
    for (const [name, value] of Object.entries(headers)) {
      if (typeof value === 'string') pairs.push([name, value]);
      else for (const one of value ?? []) pairs.push([name, one]);
    }
    this.#head = { status, statusText, headers: pairs };
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.byteLength;
    if (this.#size > this.#limit) {
      this.giveUp(new BodyTooLargeError(`the answer is larger than ${this.#limit} bytes`));
    } else this.#chunks.push(chunk);
  }

  /** An answer that breaks off ends in an error, never here. */
  onResponseEnd(): void {
    const head = this.#head ?? { status: 0, statusText: '', headers: [] };
    if (this.#givenUp === undefined) {
      this.#done({ ...head, body: Buffer.concat(this.#chunks) });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#givenUp === undefined) this.#failed(error);
  }
}
