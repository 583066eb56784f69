const maxLength = 2048;
/** A path that is percent-encoded more often is meant to confuse, and takes long to read. */
const maxReadings = 6;
/** Paths that Envoy routes to the gateway: a return URL there would launder a guard (ATTACKS 20). */
const gatewayTrees = [
  '/oauth2',
  '/login/oauth2',
  '/auth',
  '/logout',
  '/user',
  '/internal',
  '/actuator',
];

/**
 * A return URL that is safe to send a browser to: absolute, re-serialised, of our own origin, not a
 * route of the gateway. Undefined for anything else.
 *
 * `/.//evil`, `/%2e//evil` and `/.\evil` pass a naive origin check and leave the path `//evil`
 * (ATTACKS 19): so only what the WHATWG parser makes of the text is judged, and judged again as it
 * is emitted.
 */
export function safeReturnUrl(text: string | undefined, publicOrigin: string): string | undefined {
  if (text === undefined || text === '' || text.length > maxLength) return undefined;
  if (hasForbiddenCharacter(text) || text.trim() !== text) return undefined;
  const isPath = text.startsWith('/') && !text.startsWith('//');
  if (!isPath && text !== publicOrigin && !text.startsWith(`${publicOrigin}/`)) return undefined;
  const url = ourUrl(text, publicOrigin);
  if (url === undefined) return undefined;
  const readings = readingsOf(url.pathname);
  if (readings.length > maxReadings) return undefined;
  for (const path of readings) {
    if (path.includes('\\') || hasAsciiControl(path)) return undefined;
    if (isGatewayRoute(path) || mayBecomeAHost(path)) return undefined;
  }
  return ourUrl(url.href, publicOrigin)?.href === url.href ? url.href : undefined;
}

/** The first of the candidates that is safe, else the front page. */
export function chooseReturnUrl(
  candidates: readonly (string | undefined)[],
  publicOrigin: string,
): string {
  for (const candidate of candidates) {
    const url = safeReturnUrl(candidate, publicOrigin);
    if (url !== undefined) return url;
  }
  return `${publicOrigin}/`;
}

function ourUrl(text: string, publicOrigin: string): URL | undefined {
  if (!URL.canParse(text, publicOrigin)) return undefined;
  const url = new URL(text, publicOrigin);
  const ours = url.origin === publicOrigin && url.username === '' && url.password === '';
  return ours ? url : undefined;
}

/** Browsers drop tab, CR and LF anywhere and read a backslash as a slash; nobody means either. */
function hasForbiddenCharacter(text: string): boolean {
  if (text.includes('\\') || hasAsciiControl(text)) return true;
  return /[\u0080-\u009f\u2028\u2029\ufeff\p{Surrogate}]/u.test(text);
}

function hasAsciiControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/**
 * Judged as any server might read it: no case, and as it stands, without `;x`, and with the dots that
 * are left resolved once more. `/auth/..;` is a route of ours to one that does only the first.
 */
function isGatewayRoute(path: string): boolean {
  const named = namesOf(path).filter((name) => name !== '' && name !== '.');
  const readings = [
    path.toLowerCase(),
    rooted(named),
    rooted(resolved(path, (name) => name !== '')),
  ];
  return readings.some((plain) =>
    gatewayTrees.some((tree) => plain === tree || plain.startsWith(`${tree}/`)),
  );
}

function rooted(names: readonly string[]): string {
  return `/${names.join('/')}`;
}

/** As it stands (ATTACKS 19), or in the Location of a server in between that decodes and redirects. */
function mayBecomeAHost(path: string): boolean {
  const [first, ...more] = resolved(path, () => true);
  return path.startsWith('//') || (first === '' && more.length > 0);
}

function resolved(path: string, counts: (name: string) => boolean): string[] {
  const names: string[] = [];
  for (const name of namesOf(path)) {
    if (name === '..') names.pop();
    else if (name !== '.' && counts(name)) names.push(name);
  }
  return names;
}

/** Of its segments, without what some servers cut off. */
function namesOf(path: string): string[] {
  return path
    .toLowerCase()
    .split('/')
    .slice(1)
    .map((segment) => segment.replace(/[;?#].*$/s, '').trim());
}

/**
 * The path as it stands, and percent-decoded again and again until it stands still: a server may stop
 * at any of them (`/auth/%252f..` is a route of ours as it stands and none once decoded). Byte by byte:
 * only its ASCII characters matter here. At most one more than {@link maxReadings}.
 */
function readingsOf(path: string): string[] {
  const readings = [path];
  for (let last = path; readings.length <= maxReadings;) {
    const decoded = last.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (decoded === last) break;
    readings.push(decoded);
    last = decoded;
  }
  return readings;
}
