import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newSessionId, type Session } from '@sallyport/shared';
import { credentialChanges, denial, extraHeaders } from '../../../extauthz/src/answer.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import {
  allowNobody,
  denyReasons,
  type Allow,
  type DenyReason,
} from '../../../extauthz/src/decision.js';
import { cookieName, someSession } from '../../support/facts.js';

const id = newSessionId();
const changes = (cookie?: string, authorization?: string) =>
  credentialChanges({ cookie, authorization }, cookieName);

describe('credentialChanges', () => {
  it('takes our cookies out and leaves the others byte for byte', () => {
    const cookie = `a=b; ${cookieName}=${id};c="d e" ; __Host-sref=x; __Host-login-1=y`;
    expect(changes(cookie)).toEqual({ cookie: 'a=b;c="d e"', remove: [] });
  });

  it('removes a Cookie header that held only ours, and the bearer', () => {
    const { cookie, remove } = changes(`${cookieName}=${id}`, `Bearer ${id}`);
    expect(cookie).toBeUndefined();
    expect(remove).toEqual(['cookie', 'authorization']);
  });

  it('reg-1: removes Authorization where a bearer stands in any of its lines', () => {
    expect(changes(undefined, `Basic dTpw,Bearer ${id}`).remove).toEqual(['authorization']);
  });

  it('leaves a Cookie header without ours and another scheme alone', () => {
    expect(changes('a=b', 'Basic x')).toEqual({ cookie: undefined, remove: [] });
  });

  it('never lets our cookie through and never sets what it removes, whatever surrounds it', () => {
    const part = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '=', ';', ',', ' ', '"') }),
      fc.constantFrom(`${cookieName}=${id}`, `; ${cookieName}=${id}`, `,${cookieName} =${id}`),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const { cookie: rest, remove } = changes(parts.join(';'));
        if (rest !== undefined) {
          expect(remove).not.toContain('cookie');
          expect(new RegExp(`(^|[;,])[ \\t]*${cookieName}[ \\t]*=`).test(rest)).toBe(false);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('extraHeaders', () => {
  const allow = (session: Session): Allow => ({
    outcome: 'allow',
    basis: 'session',
    session,
    identity: identityOf(session),
    rule: 'default',
  });
  const both = { cookieName, sendEmail: true, sendKind: true };

  it('are set always where they are on, and never where they are not', () => {
    const [ada, unnamed] = [someSession({ email: 'a@b.example' }), someSession()];
    expect(extraHeaders(allow(ada), both)).toEqual([
      ['x-user-email', 'a@b.example'],
      ['x-session-kind', 'browser'],
    ]);
    expect(extraHeaders(allow(unnamed), { cookieName, sendEmail: true })).toEqual([
      ['x-user-email', ''],
    ]);
    expect(extraHeaders(allow(ada), { cookieName })).toEqual([]);
  });

  it('are empty for nobody, who passes by a public rule', () => {
    expect(extraHeaders(allowNobody('public', 'open'), both)).toEqual([
      ['x-user-email', ''],
      ['x-session-kind', ''],
    ]);
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
