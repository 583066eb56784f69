import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { flag, parseEnv, port, whole, type EnvRules } from '@sallyport/shared/runtime';
import { z } from 'zod';

const schema = z.object({
  GATEWAY_PORT: port(8081),
  SESSION_TTL: whole(1800, { min: 60, max: 86_400, unit: 'seconds' }),
  REDIS_TLS: flag(false),
  IDP_ISSUER_URI: z.string(),
  IDP_CLIENT_SECRET: z.string().optional(),
  LOG_LEVEL: z.enum(['info', 'debug']).default('info'),
});
const rules: EnvRules = {
  aliases: { AUTH0_ISSUER_URI: 'IDP_ISSUER_URI', AUTH0_CLIENT_SECRET: 'IDP_CLIENT_SECRET' },
  secrets: ['IDP_CLIENT_SECRET'],
  ownPrefixes: ['IDP_', 'SESSION_'],
  alsoKnown: ['SESSION_COOKIE_NAME'],
};
const least = { IDP_ISSUER_URI: 'https://idp.example' };
const folder = mkdtempSync(join(tmpdir(), 'sallyport-env-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const path = join(folder, `secret-${String(Math.random())}`);
  writeFileSync(path, text);
  return path;
}

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseEnv(schema, env, rules);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ name: 'ConfigError', code: 'bad_config' });
    return (error as { problems: readonly string[] }).problems;
  }
}

describe('parseEnv', () => {
  it('fills in the defaults and converts', () => {
    expect(parseEnv(schema, { ...least, REDIS_TLS: 'yes' }, rules)).toEqual({
      value: {
        ...{ GATEWAY_PORT: 8081, SESSION_TTL: 1800, REDIS_TLS: true, LOG_LEVEL: 'info' },
        IDP_ISSUER_URI: 'https://idp.example',
      },
      warnings: [],
    });
  });

  it('takes an empty value as not given', () => {
    expect(parseEnv(schema, { ...least, GATEWAY_PORT: '' }, rules).value.GATEWAY_PORT).toBe(8081);
  });

  it('reports every problem at once, each with its variable', () => {
    const problems = problemsOf({
      GATEWAY_PORT: '65536',
      SESSION_TTL: '59',
      REDIS_TLS: 'maybe',
      LOG_LEVEL: 'loud',
      IDP_CLIENT_SECRET_FILE: join(folder, 'missing'),
    });
    expect(problems.map((line) => line.split(':', 1)[0]).sort()).toEqual([
      ...['GATEWAY_PORT', 'IDP_CLIENT_SECRET_FILE', 'IDP_ISSUER_URI', 'LOG_LEVEL'],
      ...['REDIS_TLS', 'SESSION_TTL'],
    ]);
    expect(problems).toContain('IDP_ISSUER_URI: is not set. Set it.');
  });

  it.each(['-1', '1.5', '0x10', '1e3', ' 80', '٣', '99999999999999999999'])(
    'refuses the port %j',
    (value) => {
      expect(problemsOf({ ...least, GATEWAY_PORT: value })).toHaveLength(1);
    },
  );

  it('never repeats a value, which may be a secret in the wrong place', () => {
    const secret = 'hunter2-hunter2';
    const names = Object.keys(schema.shape).filter((name) => !name.startsWith('IDP_'));
    const problems = problemsOf({
      ...Object.fromEntries(names.map((name) => [name, secret])),
      IDP_CLIENT_SECRET: secret,
      IDP_CLIENT_SECRET_FILE: fileWith(secret),
      AUTH0_CLIENT_SECRET: `${secret}x`,
    });
    expect(problems.length).toBeGreaterThanOrEqual(names.length + 2);
    expect(problems.join('\n')).not.toContain(secret);
  });

  it('accepts an alias, and refuses one that contradicts', () => {
    const parsed = parseEnv(schema, { AUTH0_ISSUER_URI: 'https://a' }, rules);
    expect(parsed.value.IDP_ISSUER_URI).toBe('https://a');
    expect(problemsOf({ AUTH0_ISSUER_URI: 'https://a', IDP_ISSUER_URI: 'https://a' })).toEqual([]);
    const [problem] = problemsOf({ AUTH0_ISSUER_URI: 'https://a', IDP_ISSUER_URI: 'https://b' });
    expect(problem).toMatch(/^AUTH0_ISSUER_URI: differs from IDP_ISSUER_URI/);
  });

  it('reads a secret from its file, without the line break at its end', () => {
    const path = fileWith(' se cret \n');
    const { value } = parseEnv(schema, { ...least, IDP_CLIENT_SECRET_FILE: path }, rules);
    expect(value.IDP_CLIENT_SECRET).toBe(' se cret ');
  });

  it('refuses a secret given twice, an empty file and a missing one', () => {
    const path = fileWith('x');
    const twice = { ...least, IDP_CLIENT_SECRET: 'x', IDP_CLIENT_SECRET_FILE: path };
    expect(problemsOf(twice)[0]).toContain('both');
    expect(problemsOf({ ...least, IDP_CLIENT_SECRET_FILE: fileWith('\n') })[0]).toContain('empty');
    expect(problemsOf({ ...least, IDP_CLIENT_SECRET_FILE: folder })[0]).toContain('EISDIR');
  });

  it('warns of names that look like ours and are not', () => {
    const env = { ...least, IDP_CLIENT_ID_: 'x', SESSION_COOKIE_NAME: 'x', PATH: '/bin' };
    const { warnings } = parseEnv(schema, env, rules);
    expect(warnings).toEqual([expect.stringMatching(/^IDP_CLIENT_ID_ is not a setting/)]);
  });

  it('is not impressed by names that JavaScript knows', () => {
    const env = Object.fromEntries([
      ...Object.entries(least),
      ['__proto__', 'x'],
      ['toString', 'y'],
    ]);
    expect(parseEnv(schema, env, rules).value.GATEWAY_PORT).toBe(8081);
  });
});
