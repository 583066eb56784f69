import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Request } from 'express';
import { ipKeyGenerator } from 'express-rate-limit';
import type { Device } from '../sessions/session-lifecycle.js';

/** Order matters: every browser claims to be its ancestors too. */
const browsers: readonly (readonly [string, RegExp])[] = [
  ['Edge', /\bEdg(?:e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(?:Firefox|FxiOS)\//],
  ['Chrome', /\b(?:Chrome|Chromium|CriOS)\//],
  ['Safari', /\bSafari\//],
];
const systems: readonly (readonly [string, RegExp])[] = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Linux', /\bLinux\b/],
];

/** "Firefox on Linux": words of ours only, whatever the header says. */
export function deviceHint(userAgent: string | undefined): string | undefined {
  const text = (userAgent ?? '').slice(0, 512);
  const browser = browsers.find(([, pattern]) => pattern.test(text))?.[0];
  const system = systems.find(([, pattern]) => pattern.test(text))?.[0];
  if (browser === undefined) return system;
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** Enough for a person to know the place by, too little to follow a person with. */
export function ipPrefix(address: string | undefined): string | undefined {
  const plain = address?.replace(/^::ffff:(?=[0-9.]+$)/i, '');
  if (plain === undefined || isIP(plain) === 0) return undefined;
  if (!isIPv6(plain)) return `${plain.split('.').slice(0, 3).join('.')}.0/24`;
  const [head = '', tail = ''] = plain.split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  const groups = plain.includes('::') ? [...left, ...zeros, ...right] : left;
  return `${groups
    .slice(0, 3)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/48`;
}

/**
 * The address a request comes from: the rightmost hop that is none of ours. What stands left of it
 * was written by a stranger (ATTACKS 30).
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  trusted: BlockList,
): string | undefined {
  const forwarded = forwardedFor === undefined ? [] : forwardedFor.split(',');
  let address: string | undefined;
  for (const hop of [...forwarded, peer ?? ''].map((one) => one.trim()).reverse()) {
    if (isIP(hop) === 0) return undefined;
    address = hop;
    if (!isTrusted(hop, trusted)) break;
  }
  return address;
}

/**
 * Whom a limit per address counts: an IPv4 address or an IPv6 /64, which is one customer. Undefined
 * where every hop is ours, or one bucket would hold everybody behind it; so too behind a proxy that
 * nobody has listed.
 */
export function countedAddress(request: Request, trusted: BlockList): string | undefined {
  if (unlistedProxy(request, trusted) !== undefined) return undefined;
  const address = addressOf(request, trusted);
  if (address === undefined || isTrusted(address, trusted)) return undefined;
  return ipKeyGenerator(address, 64);
}

/** A peer that hands requests on (`X-Forwarded-For`) and is none of ours. */
export function unlistedProxy(request: Request, trusted: BlockList): string | undefined {
  const { remoteAddress: peer } = request.socket;
  if (peer === undefined || request.get('x-forwarded-for') === undefined) return undefined;
  return isIP(peer) === 0 || isTrusted(peer, trusted) ? undefined : peer;
}

function addressOf(request: Request, trusted: BlockList): string | undefined {
  return clientAddress(request.socket.remoteAddress, request.get('x-forwarded-for'), trusted);
}

/** Proxies and neighbours come again and again, and a list takes longer over one than all else here. */
const verdicts = new WeakMap<BlockList, Map<string, boolean>>();
const mostVerdicts = 1000;

function isTrusted(address: string, trusted: BlockList): boolean {
  let known = verdicts.get(trusted);
  if (known === undefined || known.size >= mostVerdicts) {
    verdicts.set(trusted, (known = new Map<string, boolean>()));
  }
  let verdict = known.get(address);
  if (verdict === undefined) {
    verdict = trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    // A copy: a piece of a string keeps the whole header that it was cut from.
    known.set(Buffer.from(address, 'latin1').toString('latin1'), verdict);
  }
  return verdict;
}

/**
 * No network of one's own is wider: 10.0.0.0/8; and what a registry gives out for IPv6 is a /32, a site's
 * own a /48, so a /16 is generous, while the /12 of a whole region is out. Two halves are everybody too.
 */
const widest = { ipv4: 8, ipv6: 16 };
const ipv4Mapped = 96;

interface AddressRange {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly length: number;
}

/** An address or a range such as 10.0.0.0/8; undefined if it is neither. */
function parseRange(entry: string): AddressRange | undefined {
  const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/([0-9]{1,3}))?$/i.exec(entry.trim()) ?? [];
  if (isIP(address) === 0) return undefined;
  const [family, longest] = isIPv6(address) ? (['ipv6', 128] as const) : (['ipv4', 32] as const);
  const length = Number(bits ?? longest);
  return length <= longest ? { address, family, length } : undefined;
}

/** Whether it is a range that reaches far beyond what can be somebody's own proxies. */
export function isWideRange(entry: string): boolean {
  const range = parseRange(entry);
  return range !== undefined && isTooWide(range);
}

function isTooWide({ address, family, length }: AddressRange): boolean {
  if (length < widest[family]) return true;
  if (family === 'ipv4') return false;
  // These stand for IPv4 addresses too, and are matched by them.
  const range = new BlockList();
  range.addSubnet(address, length, 'ipv6');
  const mapped = new BlockList();
  mapped.addSubnet('::ffff:0:0', ipv4Mapped, 'ipv6');
  const holdsMapped = range.check('::ffff:0:0', 'ipv6') || mapped.check(address, 'ipv6');
  return holdsMapped && length < ipv4Mapped + widest.ipv4;
}

/** Peers whose X-Forwarded-For counts; undefined if one is no address or range, or is too wide. */
export function parseTrustedProxies(text: string): BlockList | undefined {
  const list = new BlockList();
  for (const range of text.split(',').map(parseRange)) {
    if (range === undefined) return undefined;
    if (isTooWide(range)) return undefined;
    list.addSubnet(range.address, range.length, range.family);
  }
  return list;
}

export function deviceOf(request: Request, trusted: BlockList): Device {
  const hint = deviceHint(request.get('user-agent'));
  const prefix = ipPrefix(addressOf(request, trusted));
  return {
    ...(hint === undefined ? {} : { deviceHint: hint }),
    ...(prefix === undefined ? {} : { ipPrefix: prefix }),
  };
}
