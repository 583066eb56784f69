import type { Denial } from '../../answer.js';
import type { Deny } from '../../decision.js';
import { holderEntries, metadataTag, ruleEntry } from './check-response.js';
import { bytesField, fieldSize, numberField, putVarint, textField } from './fields.js';
import { headerOption } from './header-option.js';
import { metadataEntry } from './metadata-entry.js';

/** google.rpc.Code: INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE. */
const rpcCodes: Readonly<Record<number, number>> = { 302: 16, 400: 3, 401: 16, 403: 7, 503: 14 };
const permissionDenied = 7;

/** All of a denial that is no session's; the parts are slices of the whole. */
interface Prepared {
  readonly whole: Buffer;
  /** The status and what the client gets. */
  readonly head: Buffer;
  /** The metadata's entries: the reason and, if one decided, the rule. */
  readonly entries: Buffer;
}

const denials = new WeakMap<Denial, Prepared>();

/**
 * A denial carries its own status, so a 503 reaches the client as one (an error of the call itself
 * would become `status_on_error`). Encoded once per `Denial`, most of which are constants.
 *
 * Its metadata is for Envoy's own eyes (access log, rate limits, RBAC), not for the client.
 * `CheckResponse.dynamic_metadata` stands beside the answer, not in an allow's part of it, and Envoy
 * emits it for a denial as well (external_auth.proto; envoyproxy/envoy#15058).
 */
export function encodeDenial(denial: Denial, decision: Deny): Buffer {
  let prepared = denials.get(denial);
  if (prepared === undefined) denials.set(denial, (prepared = prepare(denial, decision)));
  const { holder } = decision;
  return holder === undefined ? prepared.whole : withHolder(prepared, holderEntries(holder));
}

function prepare(denial: Denial, { reason, rule }: Deny): Prepared {
  const code = rpcCodes[denial.status] ?? permissionDenied;
  const head = Buffer.concat([
    bytesField(1, numberField(1, code), textField(2, reason)),
    bytesField(
      2,
      bytesField(1, numberField(1, denial.status)),
      ...denial.headers.map(([name, value]) => headerOption(name, value)),
      textField(3, denial.body),
    ),
  ]);
  const said = [metadataEntry('reason', reason)];
  if (rule !== undefined) said.push(ruleEntry(rule));
  const entries = Buffer.concat(said);
  const whole = Buffer.concat([head, bytesField(4, entries)]);
  return {
    whole,
    head: whole.subarray(0, head.length),
    entries: whole.subarray(whole.length - entries.length),
  };
}

function withHolder({ head, entries }: Prepared, own: Uint8Array): Buffer {
  const length = own.length + entries.length;
  const bytes = Buffer.allocUnsafe(head.length + fieldSize(length));
  bytes.set(head, 0);
  bytes[head.length] = metadataTag;
  const at = putVarint(bytes, head.length + 1, length);
  bytes.set(own, at);
  bytes.set(entries, at + own.length);
  return bytes;
}
