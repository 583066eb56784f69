/**
 * How large a check may be, bytes, over HTTP as over gRPC: Envoy's default of 60 KiB for a request's
 * headers (`max_request_headers_kb`; ours say 32) and 4 KiB for what Envoy adds and how it is written.
 * Less, and what Envoy has let in would be refused unread, as the client's fault or as an outage.
 * More is nothing that Envoy sends (TRUST T27).
 */
export const maxCheckBytes = 65_536;
