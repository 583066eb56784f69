/** The two dialects of one decision; also a metric label. */
export type Transport = 'http' | 'grpc';
