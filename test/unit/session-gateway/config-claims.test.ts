import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../session-gateway/src/config.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
beforeAll(() => writeFileSync(join(folder, 'secret'), 'a-long-secret-of-the-provider-93'));
afterAll(() => rmSync(folder, { recursive: true }));

const service = { PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service' };

function load(claims: unknown, env: Record<string, string> = service) {
  const path = join(folder, 'registrations.json');
  const registration = {
    ...{ id: 'acme', issuer: 'https://login.acme.test/', clientId: 'sallyport' },
    ...{ clientSecretFile: 'secret', claims },
  };
  writeFileSync(path, JSON.stringify({ registrations: [registration] }));
  return loadConfig({
    PUBLIC_ORIGIN: 'https://app.acme.test',
    TOKEN_SEAL_KEYS: 'k1:q83vASNFZ4mrze8BI0VniavN7xI0VniQrze8EjRWeJA',
    IDP_REGISTRATIONS_FILE: path,
    ...env,
  }).config;
}

describe('claims of a registration', () => {
  it('are paths by dots, by a list, or one name that is a URL', () => {
    const { idps } = load({
      from: 'userinfo',
      roles: 'realm_access.roles',
      permissions: 'https://acme.test/permissions',
      mapping: { 'CN=Admins': { roles: ['ADMIN'] } },
    });
    expect(idps[0]?.claims).toEqual({
      from: 'userinfo',
      absent: 'empty',
      permissionService: 'add',
      roles: ['realm_access', 'roles'],
      permissions: ['https://acme.test/permissions'],
      mapping: new Map([['CN=Admins', { roles: ['ADMIN'], permissions: [] }]]),
    });
    expect(load({ roles: ['a.b', 'c'] }).idps[0]?.claims?.roles).toEqual(['a.b', 'c']);
  });

  it.each<[string, unknown, RegExp]>([
    ['no claim', {}, /claims \(acme\): names no claim/],
    ['a mapping of nothing', { permissions: 'p', mapping: {} }, /has a mapping and no roles/],
    ['an empty step', { roles: 'a..b' }, /claims\.roles: must be a claim/],
    ['no name', { roles: 7 }, /claims\.roles: must be a claim/],
    ['another source', { roles: 'r', from: 'access_token' }, /claims\.from: must be id_token/],
    ['another rule', { roles: 'r', absent: 'ignore' }, /claims\.absent: must be empty/],
    ['another use', { roles: 'r', permissionService: 'no' }, /permissionService: must be add/],
    [
      'a role that may not be one',
      { roles: 'r', mapping: { a: { roles: ['A,B'] } } },
      /mapping\.a\.roles\[0\]: must be 1 to 128/,
    ],
    ['a misspelt field', { roles: 'r', path: 'x' }, /claims: .*path/],
  ])('are refused with %s', (_what, claims, reason) => {
    expect(() => load(claims)).toThrow(reason);
  });

  it('make the permission service needless only where they replace it', () => {
    const claims = { roles: 'groups', permissionService: 'replace' };
    expect(load(claims, {}).permissionServiceUrl).toBeUndefined();
    expect(() => load({ roles: 'groups' }, {})).toThrow(
      'PERMISSION_SERVICE_URL: is not set, and acme needs it.',
    );
  });
});
