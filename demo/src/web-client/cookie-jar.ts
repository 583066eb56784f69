interface StoredCookie {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly path: string;
  readonly sameSite: string;
}

/** How a request came about, as far as SameSite cares (RFC 6265bis §5.2). */
export interface RequestContext {
  readonly sameSite: boolean;
  readonly topLevelGet: boolean;
}

/** Cookies as a browser keeps them: by host (ports do not count), path, prefix and SameSite. */
export class CookieJar {
  readonly #cookies = new Map<string, StoredCookie>();

  /** @returns the name of a cookie that a browser would refuse, if it is one. */
  store(url: URL, setCookie: string): string | undefined {
    const [pair = '', ...attributes] = setCookie.split(';').map((part) => part.trim());
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals);
    const attribute = (wanted: string): string | undefined => {
      const found = attributes.find((text) => text.toLowerCase().split('=', 1)[0] === wanted);
      return found === undefined ? undefined : found.slice(wanted.length + 1);
    };
    const path = attribute('path') ?? '/';
    const secure = attribute('secure') !== undefined;
    const keepsPrefix = secure && path === '/' && attribute('domain') === undefined;
    if (name.startsWith('__Host-') && !keepsPrefix) return name;
    const key = `${url.hostname} ${path} ${name}`;
    const expires = attribute('expires');
    const isOver =
      Number(attribute('max-age') ?? 1) <= 0 ||
      (attribute('max-age') === undefined &&
        expires !== undefined &&
        Date.parse(expires) <= Date.now());
    if (isOver) this.#cookies.delete(key);
    else {
      const sameSite = (attribute('samesite') ?? 'lax').toLowerCase();
      const value = pair.slice(equals + 1);
      this.#cookies.set(key, { name, value, host: url.hostname, path, sameSite });
    }
    return undefined;
  }

  /** The `Cookie` header for a request, or undefined when there is nothing to send. */
  header(url: URL, context: RequestContext): string | undefined {
    const pairs = [...this.#cookies.values()]
      .filter(({ host, path }) => host === url.hostname && covers(path, url.pathname))
      .filter(({ sameSite }) => {
        if (context.sameSite || sameSite === 'none') return true;
        return sameSite === 'lax' && context.topLevelGet;
      })
      .map(({ name, value }) => `${name}=${value}`);
    return pairs.length === 0 ? undefined : pairs.join('; ');
  }

  get(hostname: string, name: string): string | undefined {
    return [...this.#cookies.values()].find(
      (cookie) => cookie.host === hostname && cookie.name === name,
    )?.value;
  }
}

function covers(cookiePath: string, path: string): boolean {
  if (path === cookiePath) return true;
  return path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
}
