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
  if (isGatewayRoute(url.pathname)) return undefined;
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
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || character === '\\') return true;
    if (code === 0x2028 || code === 0x2029 || code === 0xfeff) return true;
    if (code >= 0xd800 && code <= 0xdfff) return true;
  }
  return false;
}

/** Judged as the most generous server might read it: decoded until it stands still, no case, no `;x`. */
function isGatewayRoute(pathname: string): boolean {
  let path = pathname;
  for (let decoded = decodeOnce(path); decoded !== path; decoded = decodeOnce(path)) path = decoded;
  const segments: string[] = [];
  for (const raw of path.toLowerCase().split(/[/\\]/)) {
    const segment = raw.replace(/[;?#].*$/s, '').trim();
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const plain = `/${segments.join('/')}`;
  return gatewayTrees.some((tree) => plain === tree || plain.startsWith(`${tree}/`));
}

function decodeOnce(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
