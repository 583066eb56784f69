import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import { createLogger, Registry } from '@sallyport/shared/runtime';
import { tokenRevocations } from '../../../session-gateway/src/oidc/token-revocations.js';

const logger = createLogger({ name: 'test', level: 'silent' });

function world(revoke: (token: string) => Promise<void>, limit?: number) {
  const registry = new Registry();
  const revocations = tokenRevocations({
    idps: new Map([
      ['idp', { revoke }],
      ['silent', { revoke: () => new Promise<void>(() => undefined) }],
    ]),
    cipher: {
      open: (sealed) =>
        sealed === 'unreadable'
          ? Promise.reject(new Error('no key'))
          : Promise.resolve({ accessToken: 'a', idToken: 'i', refreshToken: sealed }),
    },
    ...{ registry, logger, backOff: [1, 1] },
    ...(limit === undefined ? {} : { limit }),
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
});
