import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import { createLogger, Registry } from '@sallyport/shared/runtime';
import { IdentityProviderError } from '../../../session-gateway/src/oidc/identity-provider-error.js';
import type { LeftSession } from '../../../session-gateway/src/oidc/spent-session.js';
import {
  tokenRevocations,
  type TokenRevocationsOptions,
} from '../../../session-gateway/src/oidc/token-revocations.js';
import { SealError } from '../../../session-gateway/src/sealing/sealer.js';

const logger = createLogger({ name: 'test', level: 'silent' });

function world(
  revoke: (token: string) => Promise<void>,
  limit?: number,
  more: Partial<TokenRevocationsOptions> = {},
) {
  const registry = new Registry();
  const revocations = tokenRevocations({
    idps: new Map([
      ['idp', { revoke }],
      ['silent', { revoke: () => new Promise<void>(() => undefined) }],
    ]),
    cipher: {
      open: (sealed) =>
        sealed === 'unreadable'
          ? Promise.reject(new SealError('unknown_seal_key'))
          : Promise.resolve({ accessToken: 'a', idToken: 'i', refreshToken: sealed }),
    },
    ...{ registry, logger, backOff: [1, 1] },
    ...(limit === undefined ? {} : { limit }),
    ...more,
  });
  const add = (sealedTokens: string, idp = 'idp') =>
    revocations.add({ handle: sessionHandle(newSessionId(), 'hashed'), idp, sealedTokens });
  const outcome = async (name: string): Promise<number> => {
    const { values } = (await registry
      .getSingleMetric('gateway_token_revocations_total')
      ?.get()) ?? {
      values: [],
    };
    return values.find(({ labels }) => labels['outcome'] === name)?.value ?? 0;
  };
  return { revocations, add, outcome };
}

describe('the revocation of refresh tokens in the background', () => {
  it('asks the provider of each session, a few at a time', async () => {
    let [now, most] = [0, 0];
    const seen: string[] = [];
    const { revocations, add, outcome } = world(async (token) => {
      most = Math.max(most, (now += 1));
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(token);
      now -= 1;
    });
    for (let index = 0; index < 20; index += 1) add(`t${index}`);
    add('of a provider that is not registered any more', 'other');
    await revocations.stop();

    expect(seen).toHaveLength(20);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
    expect(await outcome('revoked')).toBe(20);
  });

  it('gives one up after three attempts, and goes on with the others', async () => {
    const attempts: string[] = [];
    let done: () => void = () => undefined;
    const last = new Promise<void>((resolve) => (done = resolve));
    const { revocations, add, outcome } = world((token) => {
      attempts.push(token);
      if (token === 'good') return Promise.resolve();
      if (attempts.length === 3) done();
      return Promise.reject(new Error('down'));
    });
    add('bad');
    await last;
    add('good');
    add('unreadable');
    await revocations.stop();

    expect(attempts).toEqual(['bad', 'bad', 'bad', 'good']);
    const names = ['revoked', 'failed', 'unreadable', 'dropped'];
    expect(await Promise.all(names.map(outcome))).toEqual([1, 1, 1, 0]);
  });

  it('does not keep one provider waiting for another', async () => {
    const revoked = new Promise<string>((resolve) => {
      const { add } = world((token) => {
        resolve(token);
        return Promise.resolve();
      });
      for (let index = 0; index < 5; index += 1) add(`t${index}`, 'silent');
      add('good');
    });
    expect(await revoked).toBe('good');
  });

  it('keeps no more waiting than its limit, and counts what it drops', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { revocations, add, outcome } = world(() => gate, 3);
    for (let index = 0; index < 10; index += 1) add(`t${index}`);
    release();
    await revocations.stop();

    expect(await outcome('revoked')).toBe(4 + 3);
    expect(await outcome('dropped')).toBe(10 - 4 - 3);
  });

  describe('that survives the process', () => {
    const handle = sessionHandle(newSessionId(), 'hashed');
    const aLeft = (of: Partial<LeftSession> = {}): LeftSession => ({
      ...{ handle, idp: 'idp', iss: 'https://idp.example', sub: 'ada', sealedTokens: 't' },
      endedAt: 1_800_000_000,
      ...of,
    });

    /** What becomes of one that another process has left. */
    async function fateOf(
      one: LeftSession,
      options: Partial<TokenRevocationsOptions> & { revoke?: () => Promise<void> } = {},
    ): Promise<string> {
      const { revoke = () => Promise.resolve(), ...more } = options;
      return new Promise((resolve) => {
        let claims = [[one]];
        const { revocations } = world(revoke, undefined, {
          clock: () => 1_800_000_000_000 + 600_000,
          left: {
            claim: () => Promise.resolve(claims.pop() ?? []),
            done: () => finish('done'),
            postpone: (_, wait) => finish(`in ${String(wait / 1000)} s`),
          },
          ...more,
        });
        function finish(fate: string): Promise<void> {
          claims = [];
          void revocations.stop().then(() => resolve(fate));
          return Promise.resolve();
        }
        void revocations.start();
      });
    }

    it('ends with the provider’s yes or its final no, and with a seal that no key will mend', async () => {
      expect(await fateOf(aLeft())).toBe('done');
      const no = new IdentityProviderError('login_refused', 'unsupported_token_type');
      let asked = 0;
      const revoke = () => {
        asked += 1;
        return Promise.reject(no);
      };
      expect(await fateOf(aLeft(), { revoke })).toBe('done');
      expect(asked).toBe(1);
      const broken = { open: () => Promise.reject(new SealError('broken_seal')) };
      expect(await fateOf(aLeft(), { cipher: broken })).toBe('done');
    });

    it('goes on later where it may yet succeed, the later the longer it has failed', async () => {
      const revoke = () => Promise.reject(new Error('down'));
      expect(await fateOf(aLeft(), { revoke })).toBe('in 300 s');
      expect(await fateOf(aLeft({ endedAt: 1_800_000_590 }), { revoke })).toBe('in 60 s');
      expect(await fateOf(aLeft({ endedAt: 1_799_920_000 }), { revoke })).toBe('in 3600 s');
      // Its key may be on its way, its registration on another replica.
      expect(await fateOf(aLeft({ sealedTokens: 'unreadable' }))).toBe('in 300 s');
      expect(await fateOf(aLeft({ idp: 'other' }))).toBe('in 300 s');
    });

    it('does what is judged of one that was left', async () => {
      let asked = 0;
      const revoke = () => Promise.resolve(void (asked += 1));
      const judged = (verdict: 'later' | 'never') => ({
        revoke,
        judge: () => Promise.resolve(verdict),
      });
      expect(await fateOf(aLeft(), judged('later'))).toBe('in 300 s');
      expect(await fateOf(aLeft(), judged('never'))).toBe('done');
      expect(asked).toBe(0);
    });
  });
});
