import { describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { isBearer, readCredential } from '../../../extauthz/src/credential.js';

const name = '__Host-session';
const id = newSessionId();
const other = newSessionId();

describe('readCredential', () => {
  it.each([
    ['nothing', undefined, undefined, 'none'],
    ['another cookie', 'a=b', undefined, 'none'],
    ['another scheme', undefined, 'Basic dTpw', 'none'],
    ['a cookie of wrong grammar', `${name}=short`, undefined, 'malformed'],
    ['a quoted cookie', `${name}="${id}"`, undefined, 'malformed'],
    ['a percent-encoded cookie', `${name}=%41${id.slice(1)}`, undefined, 'malformed'],
    ['a bearer of wrong grammar', undefined, 'Bearer eyJhbGciOi.x.y', 'malformed'],
    ['an empty bearer', undefined, 'Bearer', 'malformed'],
    ['our cookie twice', `${name}=${id}; ${name}=${id}`, undefined, 'ambiguous'],
    ['our cookie again behind a comma', `${name}=${id}; a=1,${name}=${id}`, undefined, 'ambiguous'],
    ['two Cookie lines, joined', `a=two,${name}=${id}; ${name}=${id}`, undefined, 'ambiguous'],
    ['two bearers, joined', undefined, `Bearer ${id},Bearer ${id}`, 'ambiguous'],
    ['another scheme and a bearer, joined', undefined, `Basic dTpw,Bearer ${id}`, 'ambiguous'],
    ['an empty line and a bearer, joined', undefined, `,Bearer ${id}`, 'ambiguous'],
    ['an empty bearer and a bearer, joined', undefined, `Bearer,Bearer ${id}`, 'ambiguous'],
    ['an open quote before a bearer', undefined, `Digest a="b,\tbEARER\t${id}`, 'ambiguous'],
    [
      'a cookie and a bearer behind a scheme',
      `${name}=${id}`,
      `Basic x, Bearer ${id}`,
      'ambiguous',
    ],
    ['a bearer behind a blank', undefined, ` Bearer ${id}`, 'one'],
    ['cookie and bearer that differ', `${name}=${id}`, `Bearer ${other}`, 'ambiguous'],
    ['a good cookie and a broken bearer', `${name}=${id}`, 'Bearer x', 'ambiguous'],
    ['a broken cookie and a good bearer', `${name}=x`, `Bearer ${id}`, 'ambiguous'],
    ['a cookie header over the limit', `a=${'x'.repeat(8192)}`, undefined, 'oversized'],
    ['a bearer over the limit', undefined, `Bearer ${'x'.repeat(8192)}`, 'oversized'],
  ])('reads %s as %s', (_what, cookie, authorization, outcome) => {
    expect(readCredential(cookie, authorization, name).outcome).toBe(outcome);
  });

  it('takes the session cookie among others', () => {
    const credential = readCredential(`a=b; ${name}=${id}; c=d`, undefined, name);
    expect(credential).toEqual({ outcome: 'one', id, lane: 'cookie' });
  });

  it.each(['Bearer', 'bearer', 'BEARER'])('takes a bearer token under the scheme %s', (scheme) => {
    const credential = readCredential(undefined, `${scheme} ${id}`, name);
    expect(credential).toEqual({ outcome: 'one', id, lane: 'bearer' });
  });

  it('takes the same id in both places as one credential of the cookie lane', () => {
    const credential = readCredential(`${name}=${id}`, `Bearer ${id}`, name);
    expect(credential).toEqual({ outcome: 'one', id, lane: 'cookie' });
  });

  it('is not locked out by a sibling domain that hides our name in another cookie', () => {
    expect(readCredential(`a=1,${name}=${id}`, undefined, name).outcome).toBe('none');
  });
});

describe('isBearer', () => {
  it.each([
    'BearerX abc',
    'Basic YmVhcmVy',
    'Basic bearer',
    'Digest username="x", uri="/bearer", bearer="y", opaque="bearer "',
    'Negotiate x,BearerX abc',
  ])('leaves %s to the upstream', (authorization) => {
    expect(isBearer(authorization)).toBe(false);
    expect(readCredential(undefined, authorization, name).outcome).toBe('none');
  });

  it.each(['Bearer abc', 'bearer', 'Basic x,Bearer abc', 'Basic x , bearer', 'Bearer,Basic x'])(
    'takes %s for ours',
    (authorization) => {
      expect(isBearer(authorization)).toBe(true);
    },
  );
});
