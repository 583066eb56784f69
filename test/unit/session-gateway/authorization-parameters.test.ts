import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  authorizationParameters,
  type AuthorizationParameter,
} from '../../../session-gateway/src/oidc/authorization-parameters.js';

const parse = (text: string) => authorizationParameters(new URLSearchParams(text));

describe('authorizationParameters', () => {
  it.each<[AuthorizationParameter, string]>([
    ['prompt', 'none'],
    ['prompt', 'login consent'],
    ['prompt', 'select_account'],
    ['prompt', 'create'],
    ['login_hint', 'ada@example.org'],
    ['login_hint', 'Zürich 漢字'],
    ['acr_values', 'urn:a:b phr'],
    ['max_age', '0'],
    ['max_age', '999999999'],
    ['ui_locales', 'de-CH fr-CA en'],
  ])('passes %s=%s on', (name, value) => {
    expect(authorizationParameters(new URLSearchParams({ [name]: value }))).toEqual({
      [name]: value,
    });
  });

  it.each<[AuthorizationParameter, string]>([
    ['prompt', ''],
    ['prompt', 'none login'],
    ['prompt', 'login login'],
    ['prompt', 'LOGIN'],
    ['prompt', 'login\r\nX: y'],
    ['prompt', 'login  consent'],
    ['login_hint', ''],
    ['login_hint', 'a\nb'],
    ['login_hint', 'a\u0000b'],
    ['login_hint', 'a\u202eb'],
    ['login_hint', 'x'.repeat(256)],
    ['acr_values', 'a\tb'],
    ['acr_values', ' a'],
    ['acr_values', 'x'.repeat(256)],
    ['max_age', '-1'],
    ['max_age', '1.5'],
    ['max_age', '1e3'],
    ['max_age', '0x10'],
    ['max_age', '9999999999'],
    ['ui_locales', 'de_CH'],
    ['ui_locales', 'de;q=1'],
    ['ui_locales', 'a '.repeat(80)],
  ])('drops %s=%j', (name, value) => {
    expect(authorizationParameters(new URLSearchParams({ [name]: value }))).toEqual({});
  });

  it('drops what is given twice: nobody can say which was meant', () => {
    expect(parse('prompt=none&prompt=none&max_age=1')).toEqual({ max_age: '1' });
  });

  it('drops every name that is not on the list, and never grows beyond a bound', () => {
    const names = ['prompt', 'login_hint', 'acr_values', 'max_age', 'ui_locales'];
    const pair = fc.tuple(
      fc.oneof(fc.constantFrom(...names), fc.string(), fc.constantFrom('scope', '__proto__')),
      fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.constantFrom('none', '7', 'en')),
    );
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 10 }), (pairs) => {
        const passed = authorizationParameters(new URLSearchParams(pairs));
        expect(names).toEqual(expect.arrayContaining(Object.keys(passed)));
        for (const value of Object.values(passed)) {
          expect(value.length).toBeLessThanOrEqual(255);
          expect(value).not.toMatch(/\p{C}/u);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
