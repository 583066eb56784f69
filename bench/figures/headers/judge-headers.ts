import { inboundHeadersToStrip } from '@sallyport/shared';
import { sessionAt } from '../../src/load/sessions.js';
import type { GeneratedRequest } from './generator.js';
import type { HeaderLines } from './upstream.js';

export interface HeaderFindings {
  /** Identity headers, in any spelling, that the session does not hold. */
  readonly foreign: number;
  /** Identity headers of an allowed request that did not arrive. */
  readonly missing: number;
  /** Lines that still carry the session's id. */
  readonly leaks: number;
}

const names = new Set<string>(inboundHeadersToStrip);

/** What an upstream may see of a request is decided by its route and its session alone. */
export function judgeHeaders(
  request: GeneratedRequest,
  sessionId: string,
  lines: HeaderLines,
): HeaderFindings {
  const expected = new Map<string, string>();
  if (isChecked(request.path)) {
    const { userId, roles, permissions } = sessionAt(request.session, 1, 1);
    expected.set('x-user-id', userId);
    expected.set('x-roles', roles.join(','));
    expected.set('x-permissions', permissions.join(','));
  }
  let foreign = 0;
  for (const [name, value] of lines) {
    const folded = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
    if (!names.has(folded)) continue;
    // The right one, once: it is taken out, so a second of the same is foreign.
    if (expected.get(folded) === value && name.toLowerCase() === folded) expected.delete(folded);
    else foreign += 1;
  }
  return {
    foreign,
    missing: expected.size,
    leaks: lines.filter(([, value]) => value.includes(sessionId)).length,
  };
}

/** As the shipped routes say: /api and what is below it, after normalisation. */
function isChecked(path: string): boolean {
  return (
    new URL(path.replaceAll(/\/{2,}/g, '/'), 'http://edge').pathname.match(/^\/api(?:\/|$)/) !==
    null
  );
}
