import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { certificateAuthority } from '../support/certificates.js';

const binary = join(import.meta.dirname, '../../extauthz/dist/main.js');
const authority = certificateAuthority('authority');
const own = authority.issue({ name: 'extauthz' });

describe('extauthz --check-config', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-check-config-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const cert = file('cert', own.cert);
  const key = file('key', own.key);
  const other = file('other', authority.issue({ name: 'other' }).key);

  const run = (env: Record<string, string>) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [binary, '--check-config'], {
      env: { PATH: process.env['PATH'], ...env },
      encoding: 'utf8',
      timeout: 30_000,
    });
    return { status, stdout, stderr };
  };

  it('says so where everything is good, and starts nothing', () => {
    const { status, stdout } = run({ EXTAUTHZ_TLS_CERT: cert, EXTAUTHZ_TLS_KEY: key });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^The configuration is good\.$/m);
  });

  it.each([
    ['a setting', { EXTAUTHZ_HTTP_PORT: 'x' }, 'EXTAUTHZ_HTTP_PORT'],
    [
      'a policy file',
      { EXTAUTHZ_POLICY_FILE: join(directory, 'none.yaml') },
      'EXTAUTHZ_POLICY_FILE',
    ],
    ['a path', { EXTAUTHZ_TLS_CERT: '/nowhere/cert', EXTAUTHZ_TLS_KEY: key }, '/nowhere/cert'],
    ['a pair', { EXTAUTHZ_TLS_CERT: cert, EXTAUTHZ_TLS_KEY: other }, 'EXTAUTHZ_TLS_KEY'],
  ])('refuses %s that cannot be used, with its name', (_what, env, named) => {
    const { status, stderr } = run(env);
    expect(status).toBe(1);
    expect(stderr).toContain(named);
  });

  it('says every mistake of a policy file, each with its line and what to do', () => {
    const policy = file(
      'bad.yaml',
      `version: 2
defalt: deny
rules:
  - id: a
    path: api
    allow: public
  - id: a
    path: /api
    allow: everyone
`,
    );
    const { status, stderr, stdout } = run({ EXTAUTHZ_POLICY_FILE: policy });
    expect(status).toBe(1);
    expect(stdout).not.toContain('is good');
    expect(stderr).toBe(`extauthz: The configuration cannot be used:
  EXTAUTHZ_POLICY_FILE: line 1: version: must be 1.
  EXTAUTHZ_POLICY_FILE: line 2: defalt: is unknown. Is it a typing mistake?
  EXTAUTHZ_POLICY_FILE: line 5: rules[0].path: must start with /. Write /api/…
  EXTAUTHZ_POLICY_FILE: line 7: rules[1].id: "a" is taken by the rule of line 4. Give every rule its own.
  EXTAUTHZ_POLICY_FILE: line 9: rules[1].allow: must be public, authenticated, or {roles: {any: […]}, permissions: {all: […]}}.
`);
  });

  it('finds a good policy file good', () => {
    const text = 'version: 1\nrules: [{ id: rest, path: /api/**, allow: authenticated }]\n';
    const { status, stdout, stderr } = run({ EXTAUTHZ_POLICY_FILE: file('good.yaml', text) });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^The configuration is good\.$/m);
  });
});
