/**
 * Settings of Node itself that would take our own promises back (TRUST §6): one line per cause, for
 * whoever starts the service. Nobody reads them but Node, so nothing else would ever complain.
 */
export function nodeProblems(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  // Node takes this one value, and any other for "verify".
  return env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0'
    ? [
        'NODE_TLS_REJECT_UNAUTHORIZED: is 0, so no certificate of anybody would be verified. Unset it; give a private authority by REDIS_CA_CERT or NODE_EXTRA_CA_CERTS.',
      ]
    : [];
}
