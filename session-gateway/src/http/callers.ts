import { createHash, timingSafeEqual } from 'node:crypto';
import { RefusedError } from './refused-error.js';

/** Who may call the management port's `/internal`, by the digest of its token. */
export interface Caller {
  readonly name: string;
  readonly digest: Buffer;
}

/** `name:token,name:sha256:<hex>`. Problems name the position, never a token. */
export function parseCallers(text: string): {
  callers: readonly Caller[];
  problems: readonly string[];
} {
  const problems: string[] = [];
  const callers = text.split(',').flatMap((entry, index) => {
    const [, name, hex, token] =
      /^\s*([A-Za-z0-9_-]{1,32}):(?:sha256:([0-9a-f]{64})|([A-Za-z0-9._~+/=-]{32,256}))\s*$/.exec(
        entry,
      ) ?? [];
    if (name === undefined) {
      problems.push(
        `entry ${index + 1} is not name:token with at least 32 characters, nor name:sha256:<64 hex digits>.`,
      );
      return [];
    }
    return [{ name, digest: hex === undefined ? digest(token ?? '') : Buffer.from(hex, 'hex') }];
  });
  if (new Set(callers.map(({ name }) => name)).size !== callers.length) {
    problems.push('a name occurs twice.');
  }
  return { callers, problems };
}

/**
 * The caller a bearer token belongs to. Every digest is compared, whole, whichever fits: the time it
 * takes tells nothing. @throws RefusedError
 */
export function callerOf(authorization: string | undefined, callers: readonly Caller[]): string {
  if (callers.length === 0) throw new RefusedError('internal_api_off');
  const [, token] = /^Bearer +([A-Za-z0-9._~+/=-]{1,256})$/i.exec(authorization ?? '') ?? [];
  const given = digest(token ?? '');
  const found = callers.filter((caller) => timingSafeEqual(caller.digest, given));
  const [caller] = found;
  if (token === undefined || caller === undefined) throw new RefusedError('unknown_caller');
  return caller.name;
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
