import { defaultSessionCookieName } from '@sallyport/shared';
import type { GeneratedRequest } from './generator.js';
import { h2Request, type Field } from './h2-request.js';
import { rawRequest } from './raw-request.js';
import { numberHeader } from './upstream.js';

/** Sends a generated request with the credentials of its session. @returns the status, 0 for none */
export function send(
  port: number,
  request: GeneratedRequest,
  id: string,
  number: string,
): Promise<number> {
  const own = [`${numberHeader}: ${number}`, ...credentialLines(request, id)];
  return request.protocol === 'h1'
    ? rawRequest(port, ...h1Lines(request, own))
    : h2Request(port, {
        fields: [
          [':method', request.method],
          [':scheme', 'http'],
          [':authority', 'edge'],
          [':path', request.path],
          ...h2Fields([...own, ...request.lines], request.byTheBook),
        ],
        trailers: h2Fields(request.trailers, request.byTheBook),
      });
}

function credentialLines({ credential }: GeneratedRequest, id: string): readonly string[] {
  const cookie = `${defaultSessionCookieName}=${id}`;
  const lines: Record<GeneratedRequest['credential'], readonly string[]> = {
    session: [`Cookie: theme=dark; ${cookie}`],
    none: [],
    unknown: [`Cookie: ${defaultSessionCookieName}=${'A'.repeat(43)}`],
    twice: [`Cookie: ${cookie}`, `Cookie: ${cookie}`],
    'other lane': [`Authorization: Bearer ${id}`],
  };
  return lines[credential];
}

function h1Lines(
  { method, path, lines, trailers }: GeneratedRequest,
  own: readonly string[],
): [head: string[], body: string] {
  const hasTrailers = trailers.length > 0;
  const framing = hasTrailers ? 'Transfer-Encoding: chunked' : 'Content-Length: 0';
  return [
    [`${method} ${path} HTTP/1.1`, 'Host: edge', framing, ...own, ...lines],
    hasTrailers ? ['1', 'x', '0', ...trailers, '', ''].join('\r\n') : '',
  ];
}

const hopByHop = /^(?:proxy-)?connection$/;

/** By the book names are lower case and no hop-by-hop header is there; Envoy refuses the others. */
function h2Fields(lines: readonly string[], byTheBook: boolean): Field[] {
  const fields = lines.map((line): Field => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trimEnd(), line.slice(colon + 1).trim()];
  });
  if (!byTheBook) return fields;
  return fields
    .map(([name, value]): Field => [name.toLowerCase(), value])
    .filter(([name]) => !hopByHop.test(name));
}
