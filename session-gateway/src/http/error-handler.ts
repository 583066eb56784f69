import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { Events } from '../events.js';
import { endReasons } from '../sessions/ended-sessions.js';
import { sendClearCookiesPage } from './clear-cookies-page.js';
import { correlationOfRequest } from './correlate.js';
import { problemPage } from './pages.js';
import { problemCodeOf, problems, type ProblemCode } from './problems.js';
import { RefusedError } from './refused-error.js';
import { wantsPage } from './request-facts.js';
import { sendPage } from './send-answer.js';

export const notFound: RequestHandler = () => {
  throw new RefusedError('not_found');
};

/** The only place where an error becomes an answer: the log has the detail, the answer the code. */
export function errorHandler(events: Pick<Events, 'failed'>): ErrorRequestHandler {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- express knows it by its four parameters
  return (error: unknown, request, response, _next) => {
    const code = problemCodeOf(error);
    events.failed(code, error, correlationOfRequest(request));
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // "Cannot know" and our own faults say nothing about any cookie.
    if (cannotKnow(code)) response.removeHeader('Set-Cookie');
    answerProblem(request, response, code);
  };
}

function cannotKnow(code: ProblemCode): boolean {
  return problems[code].status === 500 || sessionStoreCodes.has(code);
}

const sessionStoreCodes = new Set<ProblemCode>(['store_unavailable', 'unknown_seal_key']);

/** What a page's own script asks about, also by a navigation: it gets JSON. */
const sessionIsOver = new Set<ProblemCode>(['no_session', ...endReasons]);

/** A page for a person, an RFC 9457 problem for a machine. */
function answerProblem(request: Request, response: Response, code: ProblemCode): void {
  const { status, title, detail } = problems[code];
  response.locals['reason'] = code;
  response.status(status);
  if (status === 503) response.set('Retry-After', '1');
  // RFC 6750 §3
  if (code === 'unknown_caller') response.set('WWW-Authenticate', 'Bearer');
  // The rest of the body was not read.
  if (status === 413) response.set('Connection', 'close');
  if (wantsPage(request) && code === 'ambiguous_cookie') {
    sendClearCookiesPage(response);
    return;
  }
  if (wantsPage(request) && !sessionIsOver.has(code)) {
    sendPage(response, problemPage({ title, detail }, { label: 'Start page', href: '/' }));
    return;
  }
  response.type('application/problem+json').send(
    JSON.stringify({
      type: 'about:blank',
      title: STATUS_CODES[status],
      status,
      reason: code,
      detail,
    }),
  );
}
