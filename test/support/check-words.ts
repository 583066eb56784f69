import { expect } from '@jest/globals';
import type { ModelAnswer } from './check-model.js';
import type { CheckAnswer } from './extauthz.js';

/**
 * The answer in the model's words. `rule` and `kind` of an allow, and whose session lacks a grant,
 * stand in the metadata only.
 */
export function inWords(
  answer: CheckAnswer,
  metadata: Readonly<Record<string, string>>,
): ModelAnswer {
  const { status, headers, remove, body } = answer;
  if (status === 200) {
    const { user_id: user = 'none', kind = 'none', rule = 'none' } = metadata;
    expect(headers['x-user-id']).toBe(user);
    const { 'x-roles': roles = 'none', 'x-permissions': permissions = 'none', cookie } = headers;
    return { status, rule, user, kind, roles, permissions, cookie, remove };
  }
  expect(Object.keys(headers).filter((name) => /^x-(user|roles|perm)/.test(name))).toEqual([]);
  const isPage = headers['content-type']?.startsWith('text/html') === true;
  const said = isPage ? {} : (JSON.parse(body) as { reason?: string; rule?: string });
  const { reason, rule, user_id: user, kind, ...others } = metadata;
  expect(others).toEqual({});
  expect({ reason, rule }).toEqual(
    isPage ? { reason: 'ambiguous_credential' } : { reason: said.reason, rule: said.rule },
  );
  return {
    status: status as 400,
    reason: isPage ? 'page' : (said.reason ?? 'none'),
    rule: said.rule,
    user,
    kind,
  };
}
