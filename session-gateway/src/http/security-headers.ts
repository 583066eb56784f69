import type { RequestHandler } from 'express';
import { styleSource } from './pages.js';

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** Of every answer, on either port: none is to be kept, sniffed, framed or told of elsewhere. */
const common: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Also for browsers that do not know frame-ancestors.
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  // The callback's address holds code and state (ATTACKS 22).
  'Referrer-Policy': 'no-referrer',
};

/**
 * Headers of every answer, made once: helmet's defaults are for sites with content, ours have none.
 * No upgrade-insecure-requests: on an http origin (the demo) it would break our own form.
 */
export function securityHeaderPairs(options: {
  publicOrigin: string;
  idpOrigins: readonly string[];
}): HeaderPairs {
  return Object.entries({
    ...common,
    'Content-Security-Policy': [
      "default-src 'none'",
      `style-src ${styleSource}`,
      `form-action ${["'self'", ...options.idpOrigins].join(' ')}`,
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ].join('; '),
    ...(options.publicOrigin.startsWith('https:')
      ? { 'Strict-Transport-Security': 'max-age=31536000' }
      : {}),
  });
}

/**
 * For a port that services call and no browser should: no page, so no style and no form either.
 * No Strict-Transport-Security: the port speaks http, where it means nothing (RFC 6797 §8.1).
 */
export function internalSecurityHeaders(): RequestHandler {
  return securityHeaders(
    Object.entries({
      ...common,
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    }),
  );
}

export function securityHeaders(pairs: HeaderPairs): RequestHandler {
  return (_request, response, next) => {
    // Not response.set: it looks at every name and value again, for every request.
    for (const [name, value] of pairs) response.setHeader(name, value);
    next();
  };
}
