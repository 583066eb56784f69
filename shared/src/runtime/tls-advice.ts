const authority = 'Point REDIS_CA_CERT at the certificate of the authority that signed it.';
const noTls =
  'Does the server speak TLS on this port? REDIS_TLS is set, and nothing is sent without it.';

const byCode: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'Give Redis a new certificate.',
  CERT_NOT_YET_VALID: 'Compare the clocks of both machines.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'Reach Redis by a name of its certificate, or give it one for this name.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: authority,
  UNABLE_TO_GET_ISSUER_CERT: authority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: authority,
  SELF_SIGNED_CERT_IN_CHAIN: authority,
  DEPTH_ZERO_SELF_SIGNED_CERT: authority,
  CERT_SIGNATURE_FAILURE: authority,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  // A server that waits for the rest of a command it takes the handshake for.
  ETIMEDOUT: noTls,
  EPROTO: noTls,
  ECONNRESET: noTls,
};

/** What to do about a TLS connection to Redis that did not come about; empty where nobody can say. */
export function tlsAdvice(error: unknown): string {
  const { code } = error as { code?: unknown };
  return (typeof code === 'string' ? byCode[code] : undefined) ?? '';
}
