import { describe, expect, it } from '@jest/globals';
import {
  claimedGrants,
  claimPathOf,
  type ClaimRules,
} from '../../../session-gateway/src/oidc/claim-grants.js';
import { GrantSources } from '../../../session-gateway/src/permissions/grant-sources.js';
import {
  decodeClaimedGrants,
  encodeClaimedGrants,
  sameClaimedGrants,
} from '../../../session-gateway/src/sessions/claimed-grants.js';

const rules = (path: string, more: Partial<ClaimRules> = {}): ClaimRules => ({
  ...{ from: 'id_token', absent: 'empty', permissionService: 'add' },
  roles: claimPathOf(path),
  ...more,
});
const detailOf = (act: () => unknown): string => {
  try {
    act();
    return 'nothing';
  } catch (error) {
    return (error as { detail: string }).detail;
  }
};

describe('the claims of a provider', () => {
  it.each([
    ['groups', { groups: ['a', 'b'] }, ['a', 'b']],
    ['realm_access.roles', { realm_access: { roles: ['a'] } }, ['a']],
    ['https://acme.test/roles', { 'https://acme.test/roles': ['a'] }, ['a']],
    ['cognito:groups', { 'cognito:groups': ['a', 'a'] }, ['a']],
    ['role', { role: 'one' }, ['one']],
    ['groups', {}, []],
    ['realm_access.roles', { realm_access: null }, []],
    ['constructor.name', {}, []],
    ['groups', { groups: [] }, []],
  ])('are found at %s', (path, claims, roles) => {
    expect(claimedGrants(rules(path), claims)).toEqual({ roles, permissions: [] });
  });

  it('are found behind names with dots of their own, given as a list', () => {
    const own = rules('x', { roles: ['resource_access', 'my.client', 'roles'] });
    const claims = { resource_access: { 'my.client': { roles: ['a'] } } };
    expect(claimedGrants(own, claims).roles).toEqual(['a']);
  });

  it('are mapped to roles and permissions; what is not in the mapping grants nothing', () => {
    const mapping = new Map([
      ['CN=Admins,DC=acme', { roles: ['ADMIN', 'USER'], permissions: ['orders:write'] }],
      ['/everybody', { roles: ['USER'], permissions: [] }],
    ]);
    const claims = { groups: ['/everybody', 'CN=Admins,DC=acme', 'a stranger, with a comma'] };
    expect(claimedGrants(rules('groups', { mapping }), claims)).toEqual({
      roles: ['USER', 'ADMIN'],
      permissions: ['orders:write'],
    });
  });

  it('may hold permissions by themselves', () => {
    const own = rules('x', { permissions: ['https://acme.test/permissions'] });
    const claims = { 'https://acme.test/permissions': ['orders:read'] };
    expect(claimedGrants(own, claims)).toEqual({ roles: [], permissions: ['orders:read'] });
  });

  it.each([
    ['bad_shape', { groups: { admin: true } }],
    ['bad_shape', { groups: ['a', 7] }],
    ['bad_name', { groups: ['a,ADMIN'] }],
    ['bad_name', { groups: ['a\r\nX-Roles: ADMIN'] }],
    ['bad_name', { groups: [''] }],
    ['too_many_names', { groups: Array.from({ length: 257 }, (_, at) => `g${at}`) }],
    ['too_long', { groups: Array.from({ length: 100 }, (_, at) => `${at}`.padEnd(100, 'x')) }],
    ['distributed', { _claim_names: { groups: 'src1' } }],
  ])('refuse the login: %s', (word, claims) => {
    expect(detailOf(() => claimedGrants(rules('groups'), claims))).toBe(`claims_${word}`);
  });

  it('refuse it where they are absent, if the registration says so', () => {
    const strict = rules('realm_access.roles', { absent: 'refuse' });
    expect(detailOf(() => claimedGrants(strict, {}))).toBe('claims_absent');
    expect(claimedGrants(strict, { realm_access: { roles: [] } }).roles).toEqual([]);
  });
});

describe('a person’s roles', () => {
  const service = {
    grantsOf: () => Promise.resolve({ userId: 'user-7', roles: ['USER'], permissions: ['p:1'] }),
  };
  const person = { idp: 'staff', sub: 'auth0|ada' };
  const claimed = { roles: ['ADMIN', 'USER'], permissions: ['p:2'] };
  const sources = (permissionService: ClaimRules['permissionService']) =>
    new GrantSources(service, new Map([['staff', rules('groups', { permissionService })]]));

  it('are the service’s and the claims’ together', async () => {
    expect(await sources('add').grantsOf({ ...person, claimed })).toEqual({
      userId: 'user-7',
      roles: ['USER', 'ADMIN'],
      permissions: ['p:1', 'p:2'],
    });
  });

  it('are the service’s alone at a registration that reads no claims, whatever the record says', async () => {
    const grants = await sources('add').grantsOf({ ...person, idp: 'other', claimed });
    expect(grants.roles).toEqual(['USER']);
  });

  it('are the claims’ alone, under a name that no other registration can give', async () => {
    const only = new GrantSources(
      undefined,
      new Map([['staff', rules('groups', { permissionService: 'replace' })]]),
    );
    expect(await only.grantsOf({ ...person, claimed })).toEqual({
      userId: 'staff:auth0|ada',
      ...claimed,
    });
  });

  it.each(['add', 'replace'] as const)('are nobody’s after unusable claims (%s)', async (how) => {
    await expect(sources(how).grantsOf({ ...person, claimed: 'unusable' })).rejects.toMatchObject({
      code: 'permission_service_contract',
      detail: 'claims_unusable',
    });
  });

  it('are refused where both together are too many', async () => {
    const roles = Array.from({ length: 256 }, (_, at) => `g${at}`);
    await expect(
      sources('add').grantsOf({ ...person, claimed: { roles, permissions: [] } }),
    ).rejects.toMatchObject({ detail: 'too_many_names' });
  });

  it('survive the record; what is damaged there is unusable, not empty', () => {
    expect(decodeClaimedGrants(encodeClaimedGrants(claimed))).toEqual(claimed);
    for (const text of ['unusable', '', '{}', '{"roles":["a,b"],"permissions":[]}']) {
      expect(decodeClaimedGrants(text)).toBe('unusable');
    }
    const turned = { roles: ['USER', 'ADMIN'], permissions: ['p:2'] };
    expect(sameClaimedGrants(claimed, turned)).toBe(true);
    expect(sameClaimedGrants(claimed, 'unusable')).toBe(false);
    expect(sameClaimedGrants(claimed, undefined)).toBe(false);
  });
});
