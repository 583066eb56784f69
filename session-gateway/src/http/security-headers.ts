import type { RequestHandler } from 'express';
import { styleSource } from './pages.js';

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/**
 * Headers of every answer, made once: helmet's defaults are for sites with content, ours have none.
 * No upgrade-insecure-requests: on an http origin (the demo) it would break our own form.
 */
export function securityHeaderPairs(options: {
  publicOrigin: string;
  idpOrigins: readonly string[];
}): HeaderPairs {
  return Object.entries({
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
  });
}

export function securityHeaders(pairs: HeaderPairs): RequestHandler {
  return (_request, response, next) => {
    // Not response.set: it looks at every name and value again, for every request.
    for (const [name, value] of pairs) response.setHeader(name, value);
    next();
  };
}
