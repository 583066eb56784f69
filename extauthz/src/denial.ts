import { denyReasons, type DenyReason } from './decision.js';

/** A denial as the client sees it. */
export interface Denial {
  readonly status: 302 | 400 | 401 | 403 | 503;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** RFC 9457 problem; for a person a page, or nothing beside the redirect. */
  readonly body: string;
}

const titles = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  503: 'Service Unavailable',
} as const;

// Every body is made once: a flood of denials costs no JSON.
const denials = new Map<string, Denial>();
for (const reason of Object.keys(denyReasons) as DenyReason[]) {
  denials.set(reason, makeDenial(reason, undefined));
}
const maxKept = 10_000;

/** The problem for a program. */
export function denial(reason: DenyReason, rule?: string): Denial {
  const key = rule === undefined ? reason : `${reason} ${rule}`;
  const known = denials.get(key);
  if (known !== undefined) return known;
  const made = makeDenial(reason, rule);
  // Rules come from the policy file only; after very many reloads bodies are made anew instead.
  if (denials.size < maxKept) denials.set(key, made);
  return made;
}

function makeDenial(reason: DenyReason, rule: string | undefined): Denial {
  const { status, detail } = denyReasons[reason];
  const headers: [string, string][] = [
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
  ];
  // RFC 9110 §11.6.1: a 401 names a challenge. Bearer opens no password box in a browser.
  if (status === 401) headers.push(['www-authenticate', 'Bearer realm="sallyport"']);
  if (status === 503) headers.push(['retry-after', '1']);
  const body = JSON.stringify({
    type: 'about:blank',
    title: titles[status],
    status,
    reason,
    detail,
    rule,
  });
  return { status, headers, body };
}
