import { IdentityProviderError } from './identity-provider-error.js';
import type { IdpFetch } from './idp-fetch.js';
import { verifySignature, type Verification } from './signature.js';

/**
 * A UserInfo answer may be a JWT (OIDC Core 1.0 §5.3.2). openid-client reads its claims; its signature
 * is verified here, with the keys and algorithms of the ID token, before it gets to see them.
 */
export function verifiedUserInfo(
  fetch: IdpFetch,
  userInfoEndpoint: string | undefined,
  verification: Verification,
): IdpFetch {
  // openid-client asks the address as the URL parser spells it, whatever the document's spelling.
  const endpoint = userInfoEndpoint === undefined ? undefined : new URL(userInfoEndpoint).href;
  return async (url, init, correlation) => {
    const response = await fetch(url, init, correlation);
    const type = response.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
    if (type !== 'application/jwt' || new URL(url).href !== endpoint) return response;
    try {
      await verifySignature(await response.clone().text(), verification);
    } catch (error) {
      const { code, detail } = error as IdentityProviderError;
      throw new IdentityProviderError(code, `user_info_${detail}`, { cause: error });
    }
    return response;
  };
}
