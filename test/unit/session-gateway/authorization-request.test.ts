import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  bindingCookieName,
  bindingHash,
  isState,
  newAuthorizationRequest,
  surplusBindingCookies,
} from '../../../session-gateway/src/oidc/authorization-request.js';

const about = {
  idp: 'idp',
  redirectUri: 'https://app.acme.test/login/oauth2/code/idp',
  returnUrl: 'https://app.acme.test/',
  seq: 0,
};
const begin = (now = 1_800_000_000_000) => newAuthorizationRequest(about, now);
const cookieOf = (started: ReturnType<typeof begin>): string =>
  `${bindingCookieName(started.state)}=${started.binding}`;

describe('a new authorization request', () => {
  it('has fresh secrets of 256 bits, each used for one thing', () => {
    const all = Array.from({ length: 100 }, () => begin()).flatMap(
      ({ request, state, binding }) => [
        state,
        request.nonce,
        request.codeVerifier,
        binding.split('.')[1],
      ],
    );

    expect(new Set(all).size).toBe(400);
    for (const secret of all) expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it('keeps only the hash of the browser’s secret', () => {
    const { request, binding, state } = begin();

    expect(request.bindingHash).toBe(bindingHash(binding));
    expect(JSON.stringify(request)).not.toContain(binding);
    expect(JSON.stringify(request)).not.toContain(state);
  });

  it('names its cookie after the hash of its state', () => {
    const { state } = begin();
    const hash = createHash('sha256').update(state).digest('hex');

    expect(bindingCookieName(state)).toBe(`__Host-login-${hash.slice(0, 8)}`);
  });
});

describe('isState', () => {
  it('is true only for what we make', () => {
    expect(isState(begin().state)).toBe(true);
    for (const text of ['', 'x', 'x'.repeat(44), `${'x'.repeat(42)}*`]) {
      expect(isState(text)).toBe(false);
    }
  });
});

describe('surplusBindingCookies', () => {
  const pending = Array.from({ length: 6 }, (_, index) => begin(1_800_000_000_000 + index * 1000));
  const [first, second] = pending.map(({ state }) => bindingCookieName(state));

  it('lets five stand', () => {
    expect(surplusBindingCookies(undefined)).toEqual([]);
    expect(surplusBindingCookies(pending.slice(0, 4).map(cookieOf).join('; '))).toEqual([]);
  });

  it('names the oldest, in whatever order the browser sends them', () => {
    const header = pending.slice(0, 5).reverse().map(cookieOf).join('; ');

    expect(surplusBindingCookies(header)).toEqual([first]);
    expect(surplusBindingCookies(pending.map(cookieOf).join('; '))).toEqual([first, second]);
  });

  it('counts a value that is not of our making as the oldest', () => {
    const header = ['__Host-login-00000000=junk', ...pending.slice(0, 4).map(cookieOf)].join('; ');

    expect(surplusBindingCookies(header)).toEqual(['__Host-login-00000000']);
  });

  it('never names a cookie of somebody else', () => {
    const header = ['session=1', '__Host-login-xyz=1', '__Host-logins=1', ...pending.map(cookieOf)];

    expect(surplusBindingCookies(header.join('; '))).toEqual([first, second]);
  });
});
