import { checkNames, checkUserId } from '@sallyport/shared';
import {
  circuitBreaker,
  ConsecutiveBreaker,
  ConstantBackoff,
  handleWhen,
  retry,
  wrap,
} from 'cockatiel';
import { z } from 'zod';
import { timed, type ObserveCall } from '../call-metrics.js';
import { correlationHeaders, type Correlation } from '../correlation.js';
import { outboundCall } from '../http/outbound-call.js';
import type { Grants, Profile } from '../sessions/session-store.js';

/** `unavailable`: ask again later. `contract`: it answered, but with nothing that may become a session. */
export class PermissionServiceError extends Error {
  override readonly name = 'PermissionServiceError';
  readonly code: 'permission_service_unavailable' | 'permission_service_contract';
  readonly detail: string;

  constructor(code: PermissionServiceError['code'], detail: string, options?: ErrorOptions) {
    super(`${code} (${detail})`, options);
    this.code = code;
    this.detail = detail;
  }
}

export interface PermissionClientOptions {
  readonly baseUrl: string;
  /** Of one attempt, ms. */
  readonly timeout: number;
  readonly observe?: ObserveCall;
}

/** Both lists at their limits, with JSON around every name, stay below this. */
const maxAnswerBytes = 64 * 1024;
const retryAfter = 100;
const failuresUntilOpen = 5;
const openFor = 2000;

const answer = z.object({
  userId: z.string(),
  roles: z.array(z.string()),
  permissions: z.array(z.string()),
});

/** Roles and permissions of a person. One retry; while the service is down, no login waits for it. */
export class PermissionClient {
  readonly #options: PermissionClientOptions;
  readonly #policy = wrap(
    retry(handleWhen(isTransient), { maxAttempts: 1, backoff: new ConstantBackoff(retryAfter) }),
    circuitBreaker(handleWhen(isTransient), {
      halfOpenAfter: openFor,
      breaker: new ConsecutiveBreaker(failuresUntilOpen),
    }),
  );

  constructor(options: PermissionClientOptions) {
    this.#options = options;
  }

  /** @throws PermissionServiceError; never an empty answer in place of none. */
  async grantsOf(
    person: Pick<Profile, 'sub' | 'email' | 'name'>,
    correlation?: Correlation,
  ): Promise<Grants> {
    const url = `${this.#options.baseUrl}/internal/v1/users/${encodeURIComponent(person.sub)}/permissions?${new URLSearchParams(
      { email: person.email ?? '', displayName: person.name ?? '' },
    ).toString()}`;
    try {
      return await this.#policy.execute(() => this.#ask(url, correlation));
    } catch (error) {
      if ((error as Error).name === 'PermissionServiceError') throw error;
      throw new PermissionServiceError('permission_service_unavailable', 'breaker_open', {
        cause: error,
      });
    }
  }

  #ask(url: string, correlation: Correlation | undefined): Promise<Grants> {
    return timed(this.#options.observe, () => this.#fetch(url, correlation));
  }

  async #fetch(url: string, correlation: Correlation | undefined): Promise<Grants> {
    let status: number;
    let body: Uint8Array;
    try {
      const { timeout } = this.#options;
      const headers = { accept: 'application/json', ...correlationHeaders(correlation) };
      ({ status, body } = await outboundCall(url, { headers, timeout }, maxAnswerBytes));
    } catch (error) {
      if ((error as { code?: unknown }).code === 'body_too_large') {
        throw new PermissionServiceError('permission_service_contract', 'too_large');
      }
      const detail = (error as Error).name === 'TimeoutError' ? 'timeout' : 'connect';
      throw new PermissionServiceError('permission_service_unavailable', detail, { cause: error });
    }
    if (status >= 500 || status === 429) {
      throw new PermissionServiceError('permission_service_unavailable', `http_${status}`);
    }
    // A redirect would let whoever answers it decide over roles.
    if (status !== 200) {
      throw new PermissionServiceError('permission_service_contract', `http_${status}`);
    }
    return grantsFrom(body);
  }
}

/** Every value is checked for the wire here, before a session is begun with it (TRUST T25). */
function grantsFrom(body: Uint8Array): Grants {
  try {
    const { userId, roles, permissions } = answer.parse(JSON.parse(new TextDecoder().decode(body)));
    checkUserId(userId);
    checkNames('roles', roles);
    checkNames('permissions', permissions);
    return { userId, roles, permissions };
  } catch (error) {
    const { name, code } = error as { name?: string; code?: string };
    const detail = name === 'SessionValueError' && code !== undefined ? code : 'bad_shape';
    throw new PermissionServiceError('permission_service_contract', detail, { cause: error });
  }
}

function isTransient(error: Error): boolean {
  return (error as { code?: unknown }).code === 'permission_service_unavailable';
}
