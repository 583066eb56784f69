import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { GatewayStack } from './gateway.js';
import { idpClient } from './idp.js';

/** As the provider of a stack sends it, for one session or for all of a subject. */
export function logoutToken(
  { idp }: GatewayStack,
  whose: { readonly sid: string } | { readonly sub: string },
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    ...{ iss: idp.issuer, aud: idpClient.id, iat: now, exp: now + 120, jti: randomUUID() },
    ...whose,
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'logout+jwt' })
    .sign(idp.privateKey);
}
