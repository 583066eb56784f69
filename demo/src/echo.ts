import type { RequestHandler } from 'express';

/** What arrived, header by header as it came over the wire: a doubled header shows as two. */
export const echo: RequestHandler = (request, response) => {
  const { rawHeaders } = request;
  const headers: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    headers.push([(rawHeaders[at] ?? '').toLowerCase(), rawHeaders[at + 1] ?? '']);
  }
  response
    .set('cache-control', 'no-store')
    .json({ method: request.method, path: request.originalUrl, headers });
};
