import { describe, expect, it } from '@jest/globals';
import { forwardedHeadersWatch } from '../../../extauthz/src/forwarded-headers.js';
import type { InboundHeaders } from '../../../extauthz/src/request-facts.js';

type Check = readonly [method: string, headers: InboundHeaders];

/** What was warned of, in order. */
const warned = (checks: readonly Check[]): string[] => {
  const warnings: string[] = [];
  const watch = forwardedHeadersWatch((missing) => warnings.push(missing), {
    checks: 3,
    changes: 2,
  });
  for (const [method, headers] of checks) watch({ method, headers });
  return warnings;
};
const times = (count: number, check: Check): Check[] => Array.from({ length: count }, () => check);

const bare: Check = ['GET', {}];
const cookie = { cookie: 'a=b' };
const read: Check = ['GET', cookie];
const blindChange: Check = ['POST', cookie];

describe('forwardedHeadersWatch', () => {
  it('warns once when none of the headers ever came', () => {
    expect(warned([bare, bare])).toEqual([]);
    expect(warned([bare, ['GET', { accept: '*/*' }], ...times(10, bare)])).toEqual(['everything']);
  });

  it.each([
    [cookie],
    [{ authorization: 'Bearer x' }],
    [{ origin: 'https://app.example' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ 'sec-fetch-mode': 'cors' }],
  ])('does not say so once %j came', (headers) => {
    expect(warned([bare, ['GET', headers], ...times(10, bare)])).toEqual([]);
  });

  it('warns once when cookies come, but never what shows whose page asked for a change', () => {
    expect(warned([read, blindChange])).toEqual([]);
    expect(warned([read, blindChange, read, ...times(10, blindChange)])).toEqual(['origin']);
    // The Authorization header and the mode alone prove neither.
    const bearer: Check = ['GET', { authorization: 'Bearer x', 'sec-fetch-mode': 'cors' }];
    expect(warned([bearer, ...times(2, blindChange)])).toEqual(['origin']);
  });

  it.each([[{ origin: 'https://app.example' }], [{ 'sec-fetch-site': 'cross-site' }]])(
    'does not doubt that once %j came with anything',
    (headers) => {
      const proof: Check = ['GET', { ...cookie, ...headers }];
      expect(warned([blindChange, proof, ...times(10, blindChange)])).toEqual([]);
    },
  );

  it('takes neither a read nor a change without a cookie for blind', () => {
    const bearerChange: Check = ['POST', { authorization: 'Bearer x' }];
    expect(warned([...times(10, read), ...times(10, bearerChange)])).toEqual([]);
  });
});
