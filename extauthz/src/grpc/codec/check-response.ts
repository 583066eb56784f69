import { identityHeaders, type Session } from '@sallyport/shared';
import type { CredentialChanges } from '../../answer.js';
import type { Allow } from '../../decision.js';
import { fieldSize, lengthDelimited, putVarint, textField } from './fields.js';
import { HeaderOption } from './header-option.js';
import { metadataEntry, StringEntry } from './metadata-entry.js';

const okTag = lengthDelimited(3);
/** CheckResponse.dynamic_metadata, a google.protobuf.Struct. */
export const metadataTag = lengthDelimited(4);
/** CheckResponse.status of an allow: present and empty, google.rpc.Code OK. */
const allowStatus = Buffer.from([0x0a, 0x00]);
const nothing = Buffer.alloc(0);

const identityNames = identityHeaders.map((name) => textField(1, name));
const cookieName = textField(1, 'cookie');
const userIdKey = textField(1, 'user_id');

const kinds = new Map<string, Buffer>();
function kindEntry(kind: string): Buffer {
  let bytes = kinds.get(kind);
  if (bytes === undefined) kinds.set(kind, (bytes = metadataEntry('kind', kind)));
  return bytes;
}

/** The metadata's entries of a session's holder: user id and kind. */
export function holderEntries({ userId, kind }: Pick<Session, 'userId' | 'kind'>): Buffer {
  return Buffer.concat([metadataEntry('user_id', userId), kindEntry(kind)]);
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

/** An allow: whose request it is, and what this request's credentials become. */
export function encodeAllow(
  { identity, session, rule }: Allow,
  changes: CredentialChanges,
  extras: readonly (readonly [name: string, value: string])[] = [],
): Buffer {
  // Always all three, an empty one too: without it a forged one would come through (TRUST §0).
  const headers = identityNames.map(
    (name, index) => new HeaderOption(name, identity.values[index] ?? ''),
  );
  for (const [name, value] of extras) headers.push(new HeaderOption(textField(1, name), value));
  if (changes.cookie !== undefined) headers.push(new HeaderOption(cookieName, changes.cookie));
  const removed = removal(changes.remove);
  let okLength = removed.length;
  for (const header of headers) okLength += header.length;
  const userEntry = new StringEntry(userIdKey, session?.userId ?? '');
  const kind = kindEntry(session?.kind ?? '');
  const ruled = ruleEntry(rule);
  const metadataLength = userEntry.length + kind.length + ruled.length;
  const bytes = Buffer.allocUnsafe(
    allowStatus.length + fieldSize(okLength) + fieldSize(metadataLength),
  );
  bytes.set(allowStatus, 0);
  bytes[2] = okTag;
  let at = putVarint(bytes, 3, okLength);
  for (const header of headers) at = header.write(bytes, at);
  bytes.set(removed, at);
  at += removed.length;
  bytes[at] = metadataTag;
  at = userEntry.write(bytes, putVarint(bytes, at + 1, metadataLength));
  bytes.set(kind, at);
  bytes.set(ruled, at + kind.length);
  return bytes;
}
