import { describe, expect, it } from '@jest/globals';
import {
  isDeliberateNavigation,
  mayBeTopLevelNavigation,
  provesSameOrigin,
  type RequestOrigin,
} from '../../../session-gateway/src/http/same-origin.js';

const ours = 'https://app.acme.test';

describe('provesSameOrigin', () => {
  it.each<[boolean, RequestOrigin]>([
    [true, { csrf: '1' }],
    [true, { csrf: '1', secFetchSite: 'same-origin', origin: ours }],
    [true, { secFetchSite: 'same-origin' }],
    [true, { secFetchSite: 'same-origin', origin: 'null' }],
    [true, { origin: ours }],
    [false, {}],
    [false, { origin: 'null' }],
    [false, { origin: 'https://evil.example' }],
    [false, { origin: 'https://app.acme.test.evil.example' }],
    [false, { origin: ours, secFetchSite: 'cross-site' }],
    [false, { secFetchSite: 'same-site' }],
    [false, { secFetchSite: 'none' }],
    [false, { secFetchSite: 'SAME-ORIGIN' }],
    [false, { secFetchSite: 'same-origin', origin: 'https://evil.example' }],
    [false, { csrf: '1', origin: 'https://evil.example' }],
    [false, { csrf: '0' }],
    [false, { csrf: 'true' }],
  ])('is %s for %j', (expected, request) => {
    expect(provesSameOrigin(request, ours)).toBe(expected);
  });
});

const typed: RequestOrigin = {
  secFetchSite: 'none',
  secFetchMode: 'navigate',
  secFetchDest: 'document',
  secFetchUser: '?1',
};

describe('isDeliberateNavigation', () => {
  it.each<[boolean, RequestOrigin]>([
    [true, typed],
    [true, { ...typed, secFetchSite: 'same-origin' }],
    [false, { ...typed, secFetchSite: 'same-site' }],
    [false, { ...typed, secFetchSite: 'cross-site' }],
    [false, { ...typed, secFetchSite: undefined }],
    [false, { ...typed, secFetchMode: 'cors' }],
    [false, { ...typed, secFetchDest: 'iframe' }],
    [false, { ...typed, secFetchUser: undefined }],
    [false, { ...typed, secPurpose: 'prefetch' }],
    [false, {}],
  ])('is %s for %j', (expected, request) => {
    expect(isDeliberateNavigation(request)).toBe(expected);
  });
});

describe('mayBeTopLevelNavigation', () => {
  it.each<[boolean, RequestOrigin]>([
    [true, typed],
    [true, { ...typed, secFetchSite: 'cross-site', secFetchUser: undefined }],
    [true, {}],
    [false, { secFetchMode: 'no-cors', secFetchDest: 'image' }],
    [false, { secFetchMode: 'navigate', secFetchDest: 'iframe' }],
    [false, { secFetchMode: 'cors', secFetchDest: 'empty' }],
    [false, { secFetchDest: 'image' }],
    [false, { ...typed, secPurpose: 'prefetch' }],
  ])('is %s for %j', (expected, request) => {
    expect(mayBeTopLevelNavigation(request)).toBe(expected);
  });
});
