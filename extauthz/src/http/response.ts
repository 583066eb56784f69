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
  response.sendDate = false;
  response.writeHead(200, head);
  response.end();
}

const heads = new WeakMap<Denial, readonly string[]>();

export function writeDenial(response: ServerResponse, answer: Denial): void {
  let head = heads.get(answer);
  if (head === undefined) {
    const length = String(Buffer.byteLength(answer.body));
    head = [...answer.headers.flat(), 'content-length', length];
    heads.set(answer, head);
  }
  response.sendDate = false;
  response.writeHead(answer.status, head as string[]);
  // As text: Node then sends head and body in one piece.
  response.end(answer.body);
}
