import type { ServerResponse } from 'node:http';
import { identityHeaders } from '@sallyport/shared';
import { credentialChanges, extraHeaders, type AnswerSettings, type Denial } from '../answer.js';
import type { Allow } from '../decision.js';
import type { RequestFacts } from '../request-facts.js';

/** The allow as Envoy's HTTP dialect has it: its headers go to the upstream. */
export function writeAllow(
  response: ServerResponse,
  allow: Allow,
  facts: RequestFacts,
  answers: AnswerSettings,
): void {
  const { values } = allow.identity;
  const { cookie, remove } = credentialChanges(facts, answers.cookieName);
  const head = ['content-length', '0'];
  for (let index = 0; index < identityHeaders.length; index += 1) {
    head.push(identityHeaders[index] ?? '', values[index] ?? '');
  }
  for (const [name, value] of extraHeaders(allow, answers)) head.push(name, value);
  if (cookie !== undefined) head.push('cookie', cookie);
  if (remove.length > 0) head.push('x-envoy-auth-headers-to-remove', remove.join(','));
  spareHeaders(response);
  response.writeHead(200, head);
  response.end();
}

/**
 * Leaves out what says nothing: the date, and on HTTP/1.1 "Connection: keep-alive" with its timeout
 * (RFC 9112 §9.3: a connection persists unless it is said to close). Envoy would parse them per check.
 */
function spareHeaders(response: ServerResponse): void {
  response.sendDate = false;
  if (response.shouldKeepAlive && response.req.httpVersionMinor === 1) {
    response.removeHeader('connection');
  }
}

const heads = new WeakMap<Denial, readonly string[]>();

export function writeDenial(response: ServerResponse, answer: Denial): void {
  let head = heads.get(answer);
  if (head === undefined) {
    const length = String(Buffer.byteLength(answer.body));
    head = [...answer.headers.flat(), 'content-length', length];
    heads.set(answer, head);
  }
  spareHeaders(response);
  response.writeHead(answer.status, head as string[]);
  // As text: Node then sends head and body in one piece.
  response.end(answer.body);
}
