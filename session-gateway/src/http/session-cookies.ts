import {
  clearCookie,
  readCookie,
  readSessionCookie,
  sessionRefCookieName,
  setCookie,
  type SessionHandle,
  type SessionId,
} from '@sallyport/shared';
import type { Request, RequestHandler, Response } from 'express';
import type { OpenedSession } from '../sessions/session-lifecycle.js';
import type { SessionRef } from '../sessions/session-ref.js';
import { RefusedError } from './refused-error.js';

/** The session cookie (Strict, the credential) and the reference beside it (Lax, none). */
export class SessionCookies {
  readonly #name: string;
  readonly #ref: SessionRef;

  constructor(name: string, ref: SessionRef) {
    this.#name = name;
    this.#ref = ref;
  }

  /** A value that cannot be a session of ours is none. @throws RefusedError if there are two. */
  idOf(request: Pick<Request, 'headers'>): SessionId | undefined {
    const cookie = readSessionCookie(request.headers.cookie, this.#name);
    if (cookie.outcome === 'ambiguous') throw new RefusedError('ambiguous_cookie');
    return cookie.outcome === 'one' ? cookie.id : undefined;
  }

  /** The session this browser holds, also where the Strict cookie does not travel. */
  refOf(request: Pick<Request, 'headers'>): SessionHandle | undefined {
    const cookie = readCookie(request.headers.cookie, sessionRefCookieName);
    return cookie.outcome === 'one' ? this.#ref.read(cookie.value) : undefined;
  }

  set(response: Response, { id, handle }: OpenedSession): void {
    response.appendHeader('Set-Cookie', [
      setCookie(this.#name, id, { sameSite: 'Strict' }),
      setCookie(sessionRefCookieName, this.#ref.write(handle), { sameSite: 'Lax' }),
    ]);
  }

  clear(response: Response): void {
    response.appendHeader('Set-Cookie', [
      clearCookie(this.#name, 'Strict'),
      clearCookie(sessionRefCookieName, 'Lax'),
    ]);
  }

  /** On every route: which of two sessions is meant cannot be known, so nothing is done with either. */
  refuseTwo(): RequestHandler {
    return (request, _response, next) => {
      this.idOf(request);
      next();
    };
  }
}
