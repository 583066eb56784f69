import { describe, expect, it } from '@jest/globals';
import { effectiveMaxAge } from '../../../session-gateway/src/oidc/authorization-url.js';

describe('effectiveMaxAge', () => {
  it.each<[number | undefined, number | undefined, number | undefined]>([
    [undefined, undefined, undefined],
    [60, undefined, 60],
    [undefined, 300, 300],
    [0, 300, 0],
    [999_999, 300, 300],
  ])(
    'of a login that asks for %p at a registration with %p is %p',
    (asked, registered, expected) => {
      const request = asked === undefined ? {} : { maxAge: asked };
      const registration = registered === undefined ? {} : { maxAge: registered };
      expect(effectiveMaxAge(request, registration)).toBe(expected);
    },
  );
});
