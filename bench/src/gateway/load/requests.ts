import { defaultSessionCookieName } from '@sallyport/shared';

/** What Envoy forwards of a browser's request for data. */
export function requestText(method: 'GET' | 'POST', path: string, sessionId?: string): string {
  return [
    `${method} ${path} HTTP/1.1`,
    'host: shop.example',
    ...(sessionId === undefined
      ? []
      : [`cookie: theme=dark; ${defaultSessionCookieName}=${sessionId}; locale=en-GB`]),
    'accept: application/json, text/plain, */*',
    'sec-fetch-mode: cors',
    'sec-fetch-site: same-origin',
    'sec-fetch-dest: empty',
    ...(method === 'POST' ? ['origin: https://shop.example', 'content-length: 0'] : []),
    'x-request-id: 6f1d1b3e-6f7e-4d0a-9c55-0b7f4a1b2c3d',
    'x-forwarded-for: 192.0.2.10',
    'x-forwarded-proto: https',
    '\r\n',
  ].join('\r\n');
}

/** What Envoy forwards of a browser's navigation. */
export function navigationText(path: string, cookies: readonly string[], site: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    'host: shop.example',
    ...(cookies.length === 0 ? [] : [`cookie: ${cookies.join('; ')}`]),
    'accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
    'accept-language: en-GB,en',
    'sec-fetch-mode: navigate',
    `sec-fetch-site: ${site}`,
    'sec-fetch-dest: document',
    'sec-fetch-user: ?1',
    'user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    'x-request-id: 6f1d1b3e-6f7e-4d0a-9c55-0b7f4a1b2c3d',
    'x-forwarded-for: 192.0.2.10',
    'x-forwarded-proto: https',
    '\r\n',
  ].join('\r\n');
}
