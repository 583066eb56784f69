/** A short, bounded label: the code that Redis sends first, or that it gave no answer. */
export function redisErrorReason(error: unknown): string {
  const { message } = error as Error;
  if (message === 'Command timed out') return 'TIMEOUT';
  const [code] = /^[A-Z]{3,20}(?= |$)/.exec(message) ?? [];
  return code ?? 'CONNECTION';
}

/** Redis does not let this user do it: an outage for the caller, a mistake for the operator. */
export function isRefusal(reason: string): boolean {
  return reason === 'NOPERM' || reason === 'NOAUTH' || reason === 'WRONGPASS';
}
