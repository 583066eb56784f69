import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newSessionId } from '@sallyport/shared';
import { denial, upstreamChanges, type AnswerSettings } from '../../../extauthz/src/answer.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { allowNobody, denyReasons, type DenyReason } from '../../../extauthz/src/decision.js';
import { cookieName, someSession } from '../../support/facts.js';

const id = newSessionId();
const changes = (
  facts: { cookie?: string; authorization?: string },
  parts: Parameters<typeof someSession>[0] = {},
  settings: Partial<AnswerSettings> = {},
) =>
  upstreamChanges(
    {
      outcome: 'allow',
      basis: 'session',
      session: someSession(parts),
      identity: identityOf(someSession(parts)),
      rule: 'default',
    },
    { cookie: facts.cookie, authorization: facts.authorization },
    { cookieName, ...settings },
  );

describe('upstreamChanges', () => {
  it('sets all three identity headers, empty where the session has none', () => {
    expect(changes({}, { roles: [], permissions: [] }).set).toEqual([
      ['x-user-id', 'u-1'],
      ['x-roles', ''],
      ['x-permissions', ''],
    ]);
  });

  it('sets all three empty for nobody, and still takes our credentials out', () => {
    const facts = { cookie: `${cookieName}=${id}`, authorization: `Bearer ${id}` };
    const nobody = upstreamChanges(allowNobody('public', 'open'), facts, {
      cookieName,
      sendEmail: true,
      sendKind: true,
    });
    expect(nobody.set).toEqual([
      ['x-user-id', ''],
      ['x-roles', ''],
      ['x-permissions', ''],
      ['x-user-email', ''],
      ['x-session-kind', ''],
    ]);
    expect(nobody.remove).toEqual(['cookie', 'authorization']);
  });

  it('sets the optional headers always where they are on, and never where they are not', () => {
    const on = { sendEmail: true, sendKind: true };
    expect(changes({}, { email: 'a@b.example' }, on).set.slice(3)).toEqual([
      ['x-user-email', 'a@b.example'],
      ['x-session-kind', 'browser'],
    ]);
    expect(changes({}, {}, on).set).toContainEqual(['x-user-email', '']);
    expect(changes({}, { email: 'a@b.example' }).set).toHaveLength(3);
  });

  it('takes our cookies out and leaves the others byte for byte', () => {
    const cookie = `a=b; ${cookieName}=${id};c="d e" ; __Host-sref=x; __Host-login-1=y`;
    expect(changes({ cookie }).set).toContainEqual(['cookie', 'a=b;c="d e"']);
  });

  it('removes a Cookie header that held only ours, and the bearer', () => {
    const facts = { cookie: `${cookieName}=${id}`, authorization: `Bearer ${id}` };
    expect(changes(facts).remove).toEqual(['cookie', 'authorization']);
  });

  it('reg-1: removes Authorization where a bearer stands in any of its lines, for nobody too', () => {
    const authorization = `Basic dTpw,Bearer ${id}`;
    const facts = { cookie: undefined, authorization };
    expect(changes({ authorization }).remove).toEqual(['authorization']);
    const nobody = upstreamChanges(allowNobody('public', 'open'), facts, { cookieName });
    expect(nobody.remove).toEqual(['authorization']);
  });

  it('leaves a Cookie header without ours and another scheme alone', () => {
    const { set, remove } = changes({ cookie: 'a=b', authorization: 'Basic x' });
    expect(remove).toEqual([]);
    expect(set.map(([name]) => name)).not.toContain('cookie');
  });

  it('never lets our cookie through and never sets what it removes, whatever surrounds it', () => {
    const part = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '=', ';', ',', ' ', '"') }),
      fc.constantFrom(`${cookieName}=${id}`, `; ${cookieName}=${id}`, `,${cookieName} =${id}`),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const { set, remove } = changes({ cookie: parts.join(';') });
        const rest = set.find(([name]) => name === 'cookie')?.[1];
        if (rest !== undefined) {
          expect(remove).not.toContain('cookie');
          expect(new RegExp(`(^|[;,])[ \\t]*${cookieName}[ \\t]*=`).test(rest)).toBe(false);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('denial', () => {
  it.each(Object.keys(denyReasons) as DenyReason[])('answers %s with a problem', (reason) => {
    const { status, headers, body } = denial(reason);
    expect(JSON.parse(body)).toMatchObject({ status, reason, type: 'about:blank' });
    const names = headers.map(([name]) => name);
    expect(names).toContain('cache-control');
    expect(names.includes('www-authenticate')).toBe(status === 401);
    expect(names.includes('retry-after')).toBe(status === 503);
    expect(names).not.toContain('set-cookie');
  });

  it('names the rule, each its own', () => {
    expect(JSON.parse(denial('missing_role', 'a').body)).toMatchObject({ rule: 'a' });
    expect(JSON.parse(denial('missing_role', 'b').body)).toMatchObject({ rule: 'b' });
    expect(JSON.parse(denial('missing_role').body)).not.toHaveProperty('rule');
    expect(denial('missing_role', 'a')).toBe(denial('missing_role', 'a'));
  });
});
