import { parseClientCertificate, type ClientCertificate } from './oidc/client-certificate.js';
import { isTlsAuthentication, type IdpRegistration } from './oidc/idp-registration.js';

/** What of a draft of a registration is about it. */
interface Draft {
  readonly values: Pick<IdpRegistration, 'clientAuthentication' | 'issuer'>;
  readonly certificate?: string;
  readonly certificateKey?: string;
  readonly names: Readonly<
    Record<'clientAuthentication' | 'issuer' | 'certificate' | 'certificateKey', string>
  >;
}

/** The certificate of a draft that has both halves. @returns it, or why there is none */
export function clientCertificateOf({
  certificate,
  certificateKey,
  names,
}: Draft): ClientCertificate | string | undefined {
  if (certificate === undefined || certificateKey === undefined) return undefined;
  const parsed = parseClientCertificate(certificate, certificateKey);
  if ('keyProblem' in parsed) return `${names.certificateKey}: ${parsed.keyProblem}`;
  return 'certificateProblem' in parsed
    ? `${names.certificate}: ${parsed.certificateProblem}`
    : parsed.clientCertificate;
}

/** TLS client authentication against the rest of the registration. */
export function certificateContradictions(draft: Draft): string[] {
  const { values, certificate, certificateKey, names } = draft;
  const method = values.clientAuthentication;
  const halves = [
    [names.certificate, certificate],
    [names.certificateKey, certificateKey],
  ] as const;
  if (!isTlsAuthentication(method)) {
    return halves
      .filter(([, text]) => text !== undefined)
      .map(
        ([name]) =>
          `${name}: is set, and nobody is shown it. Set ${names.clientAuthentication} to tls_client_auth, or remove it.`,
      );
  }
  const missing = halves
    .filter(([, text]) => text === undefined)
    .map(([name]) => `${name}: is not set. ${String(method)} needs it.`);
  // There is no handshake to prove anything in; on loopback, too, where http is else accepted.
  return new URL(values.issuer).protocol === 'https:'
    ? missing
    : [...missing, `${names.issuer}: is http, and ${String(method)} needs https.`];
}

/** A provider will not take them. No refusal: it is a matter of time, and must not stop a restart. */
export function certificateCautions(idps: readonly IdpRegistration[], now: number): string[] {
  return idps.flatMap(({ id, clientCertificate }) => {
    if (clientCertificate === undefined) return [];
    const { notBefore, notAfter } = clientCertificate;
    if (now >= notAfter) {
      return [`${id}: the client certificate ended at ${iso(notAfter)}. Replace its files.`];
    }
    return now < notBefore
      ? [
          `${id}: the client certificate is good from ${iso(notBefore)} on only. Is the clock right?`,
        ]
      : [];
  });
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
