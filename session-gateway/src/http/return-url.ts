const maxLength = 2048;
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
  if (url === undefined || url.pathname.startsWith('//')) return undefined;
  const decoded = decodeFully(url.pathname);
  if (decoded.includes('\\') || hasAsciiControl(decoded)) return undefined;
  if (isGatewayRoute(decoded) || mayBecomeAHost(decoded)) return undefined;
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

/** Judged as the most generous server might read it: no case, no `;x`, dots resolved once more. */
function isGatewayRoute(decodedPath: string): boolean {
  const plain = `/${resolved(decodedPath, (segment) => segment !== '').join('/')}`;
  return gatewayTrees.some((tree) => plain === tree || plain.startsWith(`${tree}/`));
}

/** A server in between that decodes and then redirects would write `//evil` into its Location. */
function mayBecomeAHost(decodedPath: string): boolean {
  const [first, ...more] = resolved(decodedPath, () => true);
  return first === '' && more.length > 0;
}

function resolved(decodedPath: string, counts: (segment: string) => boolean): string[] {
  const segments: string[] = [];
  for (const raw of decodedPath.toLowerCase().split('/').slice(1)) {
    const segment = raw.replace(/[;?#].*$/s, '').trim();
    if (segment === '..') segments.pop();
    else if (segment !== '.' && counts(segment)) segments.push(segment);
  }
  return segments;
}

/** Percent-decoded until it stands still, byte by byte: only its ASCII characters matter here. */
function decodeFully(path: string): string {
  const decoded = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return decoded === path ? path : decodeFully(decoded);
}
