import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { callerOf, parseCallers } from '../../../session-gateway/src/http/callers.js';

const token = 'a-token-of-a-service-that-may-revoke';
const digest = createHash('sha256').update(token).digest('hex');

describe('callers of the internal endpoints', () => {
  it.each([
    ['by its token', `admin:${token}`],
    ['by its digest', `admin:sha256:${digest}`],
    ['among others', `other:${'x'.repeat(32)}, admin:${token}`],
  ])('are known %s', (_what, text) => {
    const { callers, problems } = parseCallers(text);
    expect(problems).toEqual([]);
    expect(callerOf(`Bearer ${token}`, callers)).toBe('admin');
    expect(callerOf(`bearer  ${token}`, callers)).toBe('admin');
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${token}x`,
    `Bearer ${digest}`,
    `Basic ${token}`,
    `Bearer ${token} ${token}`,
    `Bearer ${token},${token}`,
  ])('are unknown with %s', (authorization) => {
    const { callers } = parseCallers(`admin:${token}`);
    expect(() => callerOf(authorization, callers)).toThrow('unknown_caller');
  });

  it('are nobody where no token was given out', () => {
    expect(() => callerOf('Bearer ', [])).toThrow('internal_api_off');
  });

  it.each([
    ['short', 'admin:too-short'],
    ['without a name', token],
    ['with a digest of another length', 'admin:sha256:abc'],
    ['twice of one name', `admin:${token},admin:${token}x`],
  ])('are refused %s, without a word of the token', (_what, text) => {
    const { problems } = parseCallers(text);
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain('too-short');
    expect(problems.join()).not.toContain(token);
  });
});
