import { newSessionId, type SessionId } from '@sallyport/shared';
import type { ModelRequest, ModelRule, ModelRules } from './check-model.js';
import { cookieName } from './facts.js';
import type { Choices } from './proofs.js';

/** The policy of the differential proof. {@link modelRules} says the same in other words. */
export const rulesFile = `version: 1
default: deny
rules:
  - { id: open, path: /api/public/**, allow: public }
  - id: reports
    path: /api/reports/*
    methods: [GET]
    allow: { permissions: { any: [a:read] } }
  - { id: admin, path: /api/admin/**, allow: { roles: { all: [ADMIN] } } }
  - { id: hooks, path: /api/hooks/*, methods: [POST], allow: authenticated, csrf: off }
  - { id: shared, path: /api/shared/**, allow: authenticated, preflight: allow }
  - { id: me, path: [/api/me, /api/café], allow: authenticated }
`;

type Place = 'open' | 'report' | 'admin' | 'hook' | 'shared' | 'me' | 'nowhere' | 'ambiguous';

/** What each target is, by hand. */
const places: Readonly<Record<string, Place>> = {
  '/api/public': 'open',
  '/api/public/a/b': 'open',
  '/api/public/?x=/api/me': 'open',
  '/api/Public/a': 'nowhere',
  '/api/publica': 'nowhere',
  '/api/reports/7': 'report',
  '/api/reports/7/': 'report',
  '/api/reports/7?all=1': 'report',
  '/api/reports': 'nowhere',
  '/api/reports/7/8': 'nowhere',
  '/api/reports/%C3%A9': 'report',
  '/api/admin': 'admin',
  '/api/admin/users/1': 'admin',
  '/api/hooks/1': 'hook',
  '/api/shared/things': 'shared',
  '/api/me': 'me',
  '/api/me/': 'me',
  '/api/me?next=/api/public/x': 'me',
  '/api/caf%C3%A9': 'me',
  '/': 'nowhere',
  '/api': 'nowhere',
  '/api/other': 'nowhere',
  '/api/public/../me': 'ambiguous',
  '/api/public/%2e%2e/me': 'ambiguous',
  '/api/public//a': 'ambiguous',
  '/api/public/a;b': 'ambiguous',
  '/api/public%2fa': 'ambiguous',
  '/api/public/%61': 'ambiguous',
  '/api/me%00': 'ambiguous',
  '/api/me\\x': 'ambiguous',
  '/api/me%5cx': 'ambiguous',
  '/api/me%3fx': 'ambiguous',
  '/api/me%': 'ambiguous',
  '/api/%ff': 'ambiguous',
};

const rule = (allow: ModelRule['allow'], csrf = true, preflight = false): ModelRule => ({
  allow,
  csrf,
  preflight,
});

export const modelRules: ModelRules = (method, target) => {
  switch (places[target]) {
    case 'open':
      return rule('public');
    case 'report':
      return method === 'GET' || method === 'HEAD' ? rule('reader') : undefined;
    case 'admin':
      return rule('admin');
    case 'hook':
      return method === 'POST' ? rule('session', false) : undefined;
    case 'shared':
      return rule('session', true, true);
    case 'me':
      return rule('session');
    case 'ambiguous':
      return 'ambiguous';
    case 'nowhere':
    case undefined:
      break;
  }
  return undefined;
};

/** What Node's HTTP parser knows; others never get so far. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'];

/** @param ids those that the store knows something of */
export function someRequest(choices: Choices, ids: readonly SessionId[]): ModelRequest {
  // Half of them where a session alone decides, or credentials would hardly be looked at.
  const target = choices.rarely(2) ? choices.one(Object.keys(places)) : '/api/me';
  const method = choices.rarely(2) ? choices.one(methods) : 'GET';
  return { method, target, lines: [...someLines(choices, ids), ...browserLines(choices)] };
}

type Lines = [string, string][];

/** What a browser says of where a request comes from, honest or not. */
function browserLines(choices: Choices): Lines {
  const lines: Lines = [];
  const origin = (): string =>
    choices.one([
      'https://app.example',
      'https://app.example',
      'https://partner.example',
      'https://evil.example',
      'https://app.example.evil.example',
      'null',
    ]);
  if (choices.rarely(2)) lines.push(['origin', origin()]);
  if (choices.rarely(40)) lines.push(['Origin', origin()]);
  if (choices.rarely(2)) {
    const site = choices.one(['same-origin', 'same-origin', 'none', 'same-site', 'cross-site', '']);
    lines.push(['sec-fetch-site', site]);
  }
  if (choices.rarely(4)) {
    lines.push(['sec-fetch-mode', choices.one(['cors', 'navigate', 'websocket'])]);
  }
  if (choices.rarely(6)) lines.push(['Sec-WebSocket-Version', choices.one(['13', '8', ''])]);
  if (choices.rarely(6)) {
    lines.push(['access-control-request-method', choices.one([...methods, 'get', ''])]);
  }
  return lines;
}

function someLines(choices: Choices, ids: readonly SessionId[]): Lines {
  const id = (): string =>
    choices.rarely(6)
      ? choices.one(['x', '', `${newSessionId()}x`, newSessionId()])
      : choices.one(ids);
  const pair = (): string =>
    choices.one([
      `${cookieName}=${id()}`,
      `${cookieName} = ${id()} `,
      `a=${choices.one(['b', 'b,c', `1,${cookieName}=${id()}`])}`,
      `__Host-sref=x`,
      choices.one(['', 'a', '=', `x${cookieName}=1`, `${cookieName}x=1`, cookieName]),
    ]);
  const cookie = (): [string, string] => {
    const text = choices.rarely(60) ? 'a'.repeat(8193) : '';
    const pairs = Array.from({ length: 1 + choices.below(3) }, pair);
    return ['cookie', [...pairs, ...(text === '' ? [] : [text])].join('; ').trim()];
  };
  const authorization = (): [string, string] => [
    choices.one(['authorization', 'Authorization']),
    choices
      .one([`Bearer ${id()}`, `bearer  ${id()}`, 'Basic x', 'Bearer', `Bearer ${id()},x`])
      .trim(),
  ];
  const other = (): [string, string] => [
    choices.one([
      'x-user-id',
      'X_User_Id',
      'x_roles',
      'x-other',
      'x-envoy-original-path',
      'X-Request-Id',
    ]),
    choices.one(['root', '', '/admin']),
  ];
  const lines: Lines = [];
  if (!choices.rarely(4)) lines.push(cookie());
  if (choices.rarely(25)) lines.push(cookie());
  if (choices.rarely(3)) lines.push(authorization());
  if (choices.rarely(40)) lines.push(authorization());
  if (choices.rarely(10)) lines.push(other());
  return lines;
}
