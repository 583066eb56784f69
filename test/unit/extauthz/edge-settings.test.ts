import { describe, expect, it } from '@jest/globals';
import type { ConfigError } from '@sallyport/shared/runtime';
import { loadConfig } from '../../../extauthz/src/config.js';

const origin = { PUBLIC_ORIGIN: 'https://app.example.com' };
const problems = (env: Record<string, string>): readonly string[] => {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
};

describe('the settings of the edge', () => {
  it('are all optional', () => {
    const { config, warnings } = loadConfig({});
    expect(config).toMatchObject({
      policyFile: undefined,
      origins: { own: undefined },
      loginUrl: undefined,
      sendEmail: false,
      sendKind: false,
    });
    expect(warnings.join()).toContain('PUBLIC_ORIGIN is not set');
  });

  it('make the login URL absolute', () => {
    const { config } = loadConfig({ ...origin, EXTAUTHZ_LOGIN_URL: '/login' });
    expect(config.loginUrl).toBe('https://app.example.com/login');
  });

  it.each([
    [{ PUBLIC_ORIGIN: 'https://app.example.com/x' }, 'PUBLIC_ORIGIN: must be an origin'],
    [{ PUBLIC_ORIGIN: 'https://App.example.com' }, 'https://app.example.com'],
    [{ PUBLIC_ORIGIN: 'app.example.com' }, 'PUBLIC_ORIGIN: is not an origin'],
    [{ PUBLIC_ORIGIN: 'http://app.example.com' }, 'must start with https://'],
    [{ ...origin, EXTAUTHZ_TRUSTED_ORIGINS: 'https://a.example, *' }, '"*" is not an origin'],
    [{ ...origin, EXTAUTHZ_TRUSTED_ORIGINS: 'https://a.example:443' }, 'https://a.example'],
    [{ ...origin, EXTAUTHZ_TRUSTED_ORIGINS: 'null' }, '"null" is not an origin'],
    [{ EXTAUTHZ_LOGIN_URL: '/login' }, 'needs PUBLIC_ORIGIN'],
    [{ ...origin, EXTAUTHZ_LOGIN_URL: 'javascript:x' }, 'must start with https://'],
    [{ ...origin, EXTAUTHZ_LOGIN_URL: '//evil.example:x' }, 'is neither a path nor a URL'],
    [{ ...origin, EXTAUTHZ_LOGIN_URL: '/login?returnUrl=x' }, 'must not have returnUrl'],
    [{ ...origin, EXTAUTHZ_LOGIN_URL: '/login#x' }, 'must have no fragment'],
    [{ EXTAUTHZ_SEND_EMAIL: 'perhaps' }, 'EXTAUTHZ_SEND_EMAIL: must be true or false'],
  ])('refuse %j', (env, problem) => {
    expect(problems(env as Record<string, string>).join('\n')).toContain(problem);
  });
});
