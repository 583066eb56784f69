/** The request headers that say where a request comes from. */
export interface RequestOrigin {
  readonly origin?: string | undefined;
  readonly secFetchSite?: string | undefined;
  readonly secFetchMode?: string | undefined;
  readonly secFetchDest?: string | undefined;
  readonly secFetchUser?: string | undefined;
  readonly secPurpose?: string | undefined;
  readonly csrf?: string | undefined;
}

/**
 * Whether a state-changing request proves that it was made by our own pages: `X-CSRF: 1` (which no
 * foreign page can send without a preflight that we never answer), or a browser's own word in
 * Sec-Fetch-Site, or in Origin where that is missing. No proof is a no.
 */
export function provesSameOrigin(request: RequestOrigin, publicOrigin: string): boolean {
  const { origin, secFetchSite } = request;
  const foreignOrigin = origin !== undefined && origin !== 'null' && origin !== publicOrigin;
  if (foreignOrigin) return false;
  if (request.csrf === '1') return true;
  // A page under no-referrer posts `Origin: null`; Sec-Fetch-Site alone suffices (ATTACKS 23).
  if (secFetchSite !== undefined) return secFetchSite === 'same-origin';
  return origin === publicOrigin;
}

/** Whether somebody pressed a link of ours or typed the address: only then may a GET act (ATTACKS 20). */
export function isDeliberateNavigation(request: RequestOrigin): boolean {
  return (
    (request.secFetchSite === 'same-origin' || request.secFetchSite === 'none') &&
    request.secFetchMode === 'navigate' &&
    request.secFetchDest === 'document' &&
    request.secFetchUser === '?1' &&
    request.secPurpose === undefined
  );
}

/** False where a browser says that it is loading an image, a frame or a fetch. Silence is no proof. */
export function mayBeTopLevelNavigation(request: RequestOrigin): boolean {
  const { secFetchMode, secFetchDest } = request;
  return (
    (secFetchMode === undefined || secFetchMode === 'navigate') &&
    (secFetchDest === undefined || secFetchDest === 'document') &&
    request.secPurpose === undefined
  );
}
