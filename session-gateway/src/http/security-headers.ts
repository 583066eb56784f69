import type { RequestHandler } from 'express';
import { styleSource } from './pages.js';

/**
 * Headers of every answer, set once: helmet's defaults are for sites with content, ours have none.
 * No upgrade-insecure-requests: on an http origin (the demo) it would break our own form.
 */
export function securityHeaders(options: {
  publicOrigin: string;
  idpOrigins: readonly string[];
}): RequestHandler {
  const headers: Record<string, string> = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': [
      "default-src 'none'",
      `style-src ${styleSource}`,
      `form-action ${["'self'", ...options.idpOrigins].join(' ')}`,
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ].join('; '),
    'Cross-Origin-Resource-Policy': 'same-origin',
    // Also for browsers that do not know frame-ancestors.
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    // The callback's address holds code and state (ATTACKS 22).
    'Referrer-Policy': 'no-referrer',
    ...(options.publicOrigin.startsWith('https:')
      ? { 'Strict-Transport-Security': 'max-age=31536000' }
      : {}),
  };
  const pairs = Object.entries(headers);
  return (_request, response, next) => {
    // Not response.set: it looks at every name and value again, for every request.
    for (const [name, value] of pairs) response.setHeader(name, value);
    next();
  };
}
