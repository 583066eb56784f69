import { describe, expect, it } from '@jest/globals';
import {
  requestFacts,
  takeHeader,
  type InboundHeaders,
} from '../../../extauthz/src/request-facts.js';

const take = (...lines: [string, string][]): InboundHeaders => {
  const headers: InboundHeaders = {};
  for (const [name, value] of lines) takeHeader(headers, name, value);
  return headers;
};

describe('takeHeader', () => {
  it('joins repeated lines by a comma, as Envoy does for gRPC', () => {
    expect(take(['cookie', 'a=1'], ['cookie', 'b=2'])).toEqual({ cookie: 'a=1,b=2' });
  });

  it.each(['x_user_id', 'x_roles', 'x_permissions', 'x-user_id', 'x_user_email'])(
    'notices %s as an imitation',
    (name) => {
      expect(take([name, 'evil']).imitatesIdentity).toBe(true);
    },
  );

  it.each(['x-user-id', 'x_other', 'user_id'])('takes %s for no imitation', (name) => {
    expect(take([name, 'v']).imitatesIdentity).toBeUndefined();
  });

  it('reg-30: reads nothing but what a decision needs', () => {
    const others = [
      ...['x-envoy-original-path', 'x-original-url', 'x-forwarded-uri', 'x-forwarded-prefix'],
      ...['x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-for', 'x-forwarded-user'],
      ...['user-agent', 'host', 'forwarded', '__proto__'],
    ];
    const lines = others.map((name): [string, string] => [name, '/x']);
    expect(take(...lines, ['x-request-id', 'r'])).toEqual({ 'x-request-id': 'r' });
  });
});

describe('requestFacts', () => {
  it('reg-19: keeps the query out of the path', () => {
    expect(requestFacts('GET', '/api/x?code=secret', {}, '__Host-session').path).toBe('/api/x');
  });
});
