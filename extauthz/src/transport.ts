/** What a server that stops gives the checks under way, ms: longer than any check takes. */
export const drainGrace = 2_000;

/** The two dialects of one decision; also a metric label. */
export type Transport = 'http' | 'grpc';
