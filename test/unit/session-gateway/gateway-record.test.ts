import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  decodeRecord,
  decodeView,
  viewFields,
} from '../../../session-gateway/src/sessions/gateway-record-decoding.js';
import {
  encodeGatewayRecord,
  encodeReaderRecord,
  newlyStored,
} from '../../../session-gateway/src/sessions/gateway-record.js';
import { aNewSession } from '../../support/builders.js';

const times = {
  createdAt: 1_800_000_000,
  expiresAt: 1_800_001_800,
  absoluteExpiresAt: 1_800_043_200,
  permFreshUntil: 1_800_000_900,
};
const timeFields = {
  created_at: '1800000000',
  last_accessed_at: '1800000000',
  expires_at: '1800001800',
  absolute_expires_at: '1800043200',
  perm_fresh_until: '1800000900',
};
/** As HGETALL answers; what HMGET answers must come to the same but for the tokens. */
function decodeGatewayRecord(fields: Readonly<Record<string, string>>) {
  const whole = decodeRecord(Object.entries(fields).flat());
  const known = new Map(Object.entries(fields));
  const view = decodeView(viewFields.map((name) => known.get(name) ?? null));
  if (whole.outcome === 'found') {
    const { sealedTokens, ...session } = whole.session;
    expect(sealedTokens).toBe(fields['tokens']);
    expect(view).toEqual({ outcome: 'found', session });
  } else if (whole.field !== 'tokens') expect(view).toEqual(whole);
  return whole;
}

const text = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' });

describe('the gateway’s record', () => {
  it('reads back whatever a provider says of a person', () => {
    const profile = fc.record(
      {
        ...{ sub: text, iss: text, idp: text, sid: text, email: text, name: text, picture: text },
        ...{ acr: text, emailVerified: fc.boolean(), authTime: fc.nat() },
      },
      { requiredKeys: ['sub', 'iss', 'idp'] },
    );
    fc.assert(
      fc.property(profile, (person) => {
        const session = aNewSession({ profile: person });
        expect(decodeGatewayRecord({ ...encodeGatewayRecord(session), ...timeFields })).toEqual({
          outcome: 'found',
          session: newlyStored(session, times),
        });
      }),
    );
  });

  it('holds nothing for the reader but what the contract names', () => {
    expect(Object.keys(encodeReaderRecord(aNewSession())).sort()).toEqual([
      'kind',
      'perm_version',
      'permissions',
      'roles',
      'user_id',
    ]);
    expect(encodeReaderRecord(aNewSession({ shareEmail: true }))).toHaveProperty('email');
  });

  it('leaves alone a field that only a newer version knows', () => {
    const fields = { ...encodeGatewayRecord(aNewSession()), ...timeFields, from_tomorrow: 'x' };
    expect(decodeGatewayRecord(fields)).toMatchObject({ outcome: 'found' });
  });

  it('is asked for in the order in which it is read', () => {
    const lua = readFileSync(
      new URL('../../../session-gateway/lua/look.lua', import.meta.url),
      'utf8',
    );
    const [list = ''] = /local fields = \{[^}]*\}/.exec(lua) ?? [];
    expect([...list.matchAll(/'([a-z_]+)'/g)].map(([, name]) => name)).toEqual([...viewFields]);
  });

  it('names the field that makes it corrupt, and never throws', () => {
    const fields = { ...encodeGatewayRecord(aNewSession()), ...timeFields };
    const name = fc.constantFrom(...Object.keys(fields), '__proto__', 'constructor');
    const value = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
    fc.assert(
      fc.property(name, value, (field, content) => {
        const entries = Object.entries(fields).filter(([key]) => key !== field);
        if (content !== undefined) entries.push([field, content]);
        const decoded = decodeGatewayRecord(Object.fromEntries(entries));
        if (decoded.outcome === 'corrupt') expect(decoded.field).toBe(field);
      }),
      { numRuns: 1000 },
    );
  });
});
