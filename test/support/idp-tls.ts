import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Configuration } from 'oidc-provider';
import type { CertificateAuthority } from './certificates.js';

/** A provider over https that knows its clients by their certificates (RFC 8705). */
export interface IdpTls {
  /** Its own certificate's, and of the clients it knows by their subject. */
  readonly authority: CertificateAuthority;
  /** Certificates are asked for at an address of their own only (RFC 8705 §5). */
  readonly aliases?: boolean;
}

/** Everybody gets in; `asks`: who has a certificate may show it. */
export function tlsServer({ authority }: IdpTls, asks: boolean): Server {
  const { cert, key } = authority.issue({ name: 'the provider' });
  return createServer({
    cert,
    key,
    ca: authority.cert,
    requestCert: asks,
    rejectUnauthorized: false,
  });
}

/** What a connection shows: the name in its certificate, and whether it resumes another. */
export function shownBy(socket: Socket): { name: string | undefined; isResumed: boolean } {
  const connection = overTls(socket);
  const { subject } = connection.getPeerCertificate();
  // Without a certificate Node gives an object with nothing in it.
  const name = (subject as { CN?: string } | undefined)?.CN;
  return { name, isResumed: connection.isSessionReused() };
}

function overTls(socket: Socket): TLSSocket {
  if (!(socket instanceof TLSSocket)) throw new Error('a connection without TLS');
  return socket;
}

export const mutualTls: NonNullable<Configuration['features']>['mTLS'] = {
  enabled: true,
  tlsClientAuth: true,
  selfSignedTlsClientAuth: true,
  getCertificate: ({ req }) => {
    const { raw } = overTls(req.socket).getPeerCertificate() as { raw?: Buffer };
    return raw?.toString('base64');
  },
  certificateAuthorized: ({ req }) => overTls(req.socket).authorized,
  certificateSubjectMatches: ({ req }, property, expected) =>
    property === 'tls_client_auth_subject_dn' &&
    expected === `CN=${shownBy(req.socket).name ?? ''}`,
};

export const tlsMethods = ['tls_client_auth', 'self_signed_tls_client_auth'] as const;

/** Its endpoints for clients with a certificate. */
export function aliasesAt(origin: string): Readonly<Record<string, string>> {
  return {
    token_endpoint: `${origin}/token`,
    revocation_endpoint: `${origin}/token/revocation`,
    pushed_authorization_request_endpoint: `${origin}/request`,
    userinfo_endpoint: `${origin}/me`,
  };
}
