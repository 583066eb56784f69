import { identityHeaders } from '@sallyport/shared';
import type { CredentialChanges } from '../../answer.js';
import type { Allow } from '../../decision.js';
import { bytesField, numberField, putVarint, textField, varintSize } from './fields.js';

/** HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD */
const overwriteIfExistsOrAdd = 2;

/** Tags of length-delimited fields: `number << 3 | 2`. */
const firstTag = (1 << 3) | 2;
const secondTag = (2 << 3) | 2;
const headerTag = secondTag;
const okTag = (3 << 3) | 2;
/** CheckResponse.dynamic_metadata, a google.protobuf.Struct. */
export const metadataTag = (4 << 3) | 2;
/** CheckResponse.status of an allow: present and empty, google.rpc.Code OK. */
const allowStatus = Buffer.from([0x0a, 0x00]);
const nothing = Buffer.alloc(0);
/** `Identity.encoded` begins with the length of its header part. */
const prefix = 4;

/** HeaderValueOption; without keep_empty_value Envoy drops it and a forged one comes through. */
export function option(number: number, name: string, value: string): Buffer {
  const header = bytesField(1, textField(1, name), textField(2, value));
  return bytesField(number, header, numberField(3, overwriteIfExistsOrAdd), numberField(4, 1));
}

/** One entry of google.protobuf.Struct with a string value. */
export function metadataEntry(key: string, value: string): Buffer {
  return bytesField(1, textField(1, key), bytesField(2, textField(3, value)));
}

/** Whose request it is: nobody's where there is no session. */
type Holder = Pick<Allow, 'identity' | 'session'>;

/** What does not change while the session lives, in one array of exact size: see ATTACKS 6. */
function identityBytes({ identity, session }: Holder): Uint8Array {
  if (identity.encoded !== undefined) return identity.encoded;
  const headers = Buffer.concat(
    identityHeaders.map((name, index) => option(2, name, identity.values[index] ?? '')),
  );
  const metadata = [
    metadataEntry('user_id', session?.userId ?? ''),
    metadataEntry('kind', session?.kind ?? ''),
  ];
  // Not from Buffer's pool: a slice kept with the session would pin its 8 KiB slab.
  const all = Buffer.concat([Buffer.alloc(prefix), headers, ...metadata]);
  const encoded = Buffer.allocUnsafeSlow(all.length);
  all.copy(encoded);
  encoded.writeUInt32BE(headers.length, 0);
  identity.encoded = encoded;
  return encoded;
}

/** Of the session's prepared bytes those that are entries of the metadata: user id and kind. */
export function holderEntries(holder: Holder): Uint8Array {
  const bytes = identityBytes(holder);
  return bytes.subarray(prefix + headersLength(bytes));
}

const rules = new Map<string, Buffer>();

export function ruleEntry(rule: string): Buffer {
  let bytes = rules.get(rule);
  if (bytes === undefined) {
    // Rules come from files that are reloaded.
    if (rules.size > 4096) rules.clear();
    bytes = metadataEntry('rule', rule);
    rules.set(rule, bytes);
  }
  return bytes;
}

const removals = new Map<readonly string[], Buffer>();
const removal = (names: readonly string[]): Buffer => {
  if (names.length === 0) return nothing;
  let bytes = removals.get(names);
  if (bytes === undefined) {
    bytes = Buffer.concat(names.map((name) => textField(5, name)));
    if (removals.size < 16) removals.set(names, bytes);
  }
  return bytes;
};

/** Every option but its lengths and its value is the same for every Cookie header. */
const cookieName = textField(1, 'cookie');
const cookieEnd = Buffer.concat([numberField(3, overwriteIfExistsOrAdd), numberField(4, 1)]);

/** As `option(2, 'cookie', …)` would be, but written in place: most allows rewrite a cookie. */
class CookieOption {
  readonly length: number;
  readonly #value: string;
  readonly #valueLength: number;
  readonly #headerLength: number;
  readonly #optionLength: number;

  constructor(value: string) {
    this.#value = value;
    this.#valueLength = Buffer.byteLength(value, 'utf8');
    this.#headerLength = cookieName.length + fieldSize(this.#valueLength);
    this.#optionLength = fieldSize(this.#headerLength) + cookieEnd.length;
    this.length = fieldSize(this.#optionLength);
  }

  /** @returns where it ends */
  write(target: Buffer, start: number): number {
    target[start] = headerTag;
    let at = putVarint(target, start + 1, this.#optionLength);
    target[at] = firstTag;
    at = putVarint(target, at + 1, this.#headerLength);
    target.set(cookieName, at);
    at += cookieName.length;
    target[at] = secondTag;
    at = putVarint(target, at + 1, this.#valueLength);
    at += target.write(this.#value, at, 'utf8');
    target.set(cookieEnd, at);
    return at + cookieEnd.length;
  }
}

/** Bytes of a length-delimited field with a number below 16. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** An allow: the session's prepared bytes, and what this request's credentials become. */
export function encodeAllow(
  allow: Allow,
  changes: CredentialChanges,
  extras: readonly (readonly [name: string, value: string])[] = [],
): Buffer {
  const identity = identityBytes(allow);
  const headersEnd = prefix + headersLength(identity);
  const extra =
    extras.length === 0
      ? nothing
      : Buffer.concat(extras.map(([name, value]) => option(2, name, value)));
  const cookie = changes.cookie === undefined ? undefined : new CookieOption(changes.cookie);
  const removed = removal(changes.remove);
  const ruled = ruleEntry(allow.rule);
  const okLength = headersEnd - prefix + extra.length + (cookie?.length ?? 0) + removed.length;
  const metadataLength = identity.length - headersEnd + ruled.length;
  const bytes = Buffer.allocUnsafe(
    allowStatus.length + fieldSize(okLength) + fieldSize(metadataLength),
  );
  bytes.set(allowStatus, 0);
  bytes[2] = okTag;
  let at = putVarint(bytes, 3, okLength);
  bytes.set(identity.subarray(prefix, headersEnd), at);
  at += headersEnd - prefix;
  bytes.set(extra, at);
  at += extra.length;
  if (cookie !== undefined) at = cookie.write(bytes, at);
  bytes.set(removed, at);
  at += removed.length;
  bytes[at] = metadataTag;
  at = putVarint(bytes, at + 1, metadataLength);
  bytes.set(identity.subarray(headersEnd), at);
  bytes.set(ruled, at + identity.length - headersEnd);
  return bytes;
}

function headersLength(identity: Uint8Array): number {
  return (
    ((identity[0] ?? 0) << 24) |
    ((identity[1] ?? 0) << 16) |
    ((identity[2] ?? 0) << 8) |
    (identity[3] ?? 0)
  );
}
