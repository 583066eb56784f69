import { describe, expect, it } from '@jest/globals';
import { isUnsafe, provesOrigin } from '../../../extauthz/src/csrf.js';
import { origins } from '../../support/facts.js';

const own = 'https://app.example.com';
const partner = 'https://partner.example.com';

describe('provesOrigin', () => {
  it.each([
    [undefined, undefined, false],
    [undefined, 'same-origin', true],
    [undefined, 'none', true],
    [undefined, 'same-site', false],
    [undefined, 'cross-site', false],
    [undefined, '', false],
    [undefined, 'same-origin,same-origin', false],
    [undefined, 'cross-site,same-origin', false],
    [own, undefined, true],
    [own, 'same-origin', true],
    [own, 'cross-site', false],
    [own, 'same-site', false],
    [partner, undefined, true],
    [partner, 'cross-site', true],
    [partner, 'same-site', true],
    ['https://evil.example.com', undefined, false],
    ['https://evil.example.com', 'same-site', false],
    ['https://evil.example.com', 'same-origin', false],
    ['null', undefined, false],
    ['null', 'same-origin', false],
    ['', 'same-origin', false],
    [`${own},${own}`, 'same-origin', false],
    [`${own}/`, undefined, false],
    [`${own}.evil.example`, undefined, false],
    ['HTTPS://APP.EXAMPLE.COM', undefined, false],
    ['http://app.example.com', undefined, false],
  ])('reg-A29: of Origin %s and Sec-Fetch-Site %s says %s', (origin, site, proved) => {
    const headers = {
      ...(origin === undefined ? {} : { origin }),
      ...(site === undefined ? {} : { 'sec-fetch-site': site }),
    };
    expect(provesOrigin(headers, origins)).toBe(proved);
  });

  it('goes by Sec-Fetch-Site alone where PUBLIC_ORIGIN is not known', () => {
    const unknown = { own: undefined, trusted: new Set<string>() };
    expect(provesOrigin({ origin: own, 'sec-fetch-site': 'same-origin' }, unknown)).toBe(true);
    expect(provesOrigin({ origin: own, 'sec-fetch-site': 'same-site' }, unknown)).toBe(false);
    expect(provesOrigin({ origin: own }, unknown)).toBe(false);
  });
});

describe('isUnsafe', () => {
  it.each([
    ['GET', false],
    ['HEAD', false],
    ['OPTIONS', false],
    ['POST', true],
    ['PUT', true],
    ['PATCH', true],
    ['DELETE', true],
    ['TRACE', true],
    ['PROPFIND', true],
  ])('%s: %s', (method, unsafe) => expect(isUnsafe(method, {})).toBe(unsafe));

  it.each([
    [{ 'sec-fetch-mode': 'websocket' }],
    [{ 'sec-websocket-version': '13' }],
    [{ 'sec-websocket-version': '' }],
    [{ 'sec-websocket-version': '13', 'sec-fetch-mode': 'cors' }],
  ])('counts a WebSocket handshake: %j', (headers) => {
    expect(isUnsafe('GET', headers)).toBe(true);
  });
});
