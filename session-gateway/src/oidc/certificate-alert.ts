/**
 * The alerts of TLS (RFC 8446 §6.2) that are about the certificate that was shown. Node names them by a
 * code of their own (`ERR_SSL_TLSV1_ALERT_UNKNOWN_CA`), or, where the handshake was not over, by EPROTO
 * and OpenSSL's words (`tlsv1 alert unknown ca`).
 */
const alert =
  /alert[ _](?:(?:bad|unsupported)[ _]certificate|certificate[ _]\w+|unknown[ _]ca|access[ _]denied|decrypt[ _]error)/i;

/** Whether the other side ended the handshake because of our certificate: a mistake, no outage. */
export function isCertificateAlert(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'string' && alert.test(code === 'EPROTO' ? String(message) : code);
}
