import type { Request } from 'express';
import type { RequestOrigin } from './same-origin.js';

/** Never `new URL(request.url)`: a path such as `//x` would become a host (TRUST §3, CVE-2026-26205). */
export function queryOf(request: Pick<Request, 'url'>): URLSearchParams {
  const at = request.url.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : request.url.slice(at + 1));
}

/** A parameter given exactly once; of two, nobody can say which was meant. */
export function onlyValue(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  return values.length === 1 ? values[0] : undefined;
}

export function originOf(request: Request): RequestOrigin {
  return {
    origin: request.get('origin'),
    secFetchSite: request.get('sec-fetch-site'),
    secFetchMode: request.get('sec-fetch-mode'),
    secFetchDest: request.get('sec-fetch-dest'),
    secFetchUser: request.get('sec-fetch-user'),
    secPurpose: request.get('sec-purpose'),
    csrf: request.get('x-csrf'),
  };
}

/** Whether a person looks at the answer: a browser says so, else whoever asks for HTML. */
export function wantsPage(request: Request): boolean {
  const mode = request.get('sec-fetch-mode');
  if (mode !== undefined) return mode === 'navigate';
  const accept = request.get('accept') ?? '';
  return accept.includes('text/html');
}

/** Whether the caller asks for JSON and not for a page. */
export function wantsJson(request: Request): boolean {
  const accept = request.get('accept') ?? '';
  return accept.includes('application/json') && !accept.includes('text/html');
}
