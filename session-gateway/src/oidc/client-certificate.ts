import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

/** What we show a provider in the TLS handshake (RFC 8705 §2). */
export interface ClientCertificate {
  /** PEM: ours first, its authorities after it. */
  readonly chain: string;
  readonly key: KeyObject;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Both, ready for connections. Who shares connections must share this very object. */
  readonly secureContext: SecureContext;
}

const minRsaBits = 2048;
const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads a certificate and its private key, PEM (not encrypted); both may stand in one file.
 * @returns them, or which of them cannot be used and why; the reason holds nothing of either
 */
export function parseClientCertificate(
  certificateText: string,
  keyText: string,
):
  | { readonly clientCertificate: ClientCertificate }
  | { readonly certificateProblem: string }
  | { readonly keyProblem: string } {
  const chain = (certificateText.match(block) ?? []).join('\n');
  const certificate = parsed(() => new X509Certificate(chain));
  if (certificate === undefined) {
    return { certificateProblem: 'is not a certificate. Give it as PEM.' };
  }
  const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < minRsaBits) {
    return {
      certificateProblem: `is of an RSA key of ${String(bits)} bits. Use ${String(minRsaBits)} or more.`,
    };
  }
  const key = parsed(() => createPrivateKey(keyText));
  if (key === undefined) {
    return { keyProblem: 'is not a private key. Give it as PEM, not encrypted.' };
  }
  if (!certificate.checkPrivateKey(key)) {
    return {
      keyProblem:
        'is not the key of the certificate. Give the two that belong together; the certificate comes before its authorities.',
    };
  }
  const secureContext = parsed(() =>
    createSecureContext({ cert: chain, key: key.export({ type: 'pkcs8', format: 'pem' }) }),
  );
  if (secureContext === undefined) {
    return {
      certificateProblem: 'cannot be used for TLS. Is each of its authorities a certificate?',
    };
  }
  const notBefore = Date.parse(certificate.validFrom);
  const notAfter = Date.parse(certificate.validTo);
  return { clientCertificate: { chain, key, notBefore, notAfter, secureContext } };
}

/** The parsers' own words could quote what they were given. */
function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

export function sameCertificate(
  one: ClientCertificate | undefined,
  other: ClientCertificate | undefined,
): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.chain === other.chain && one.key.equals(other.key);
}
