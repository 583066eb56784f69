import type { ModelRule, ModelRules } from './check-model.js';

/** The policy of the differential proof. {@link modelRules} says the same in other words. */
export const rulesFile = `version: 1
default: deny
rules:
  - { id: open, path: /api/public/**, allow: public }
  - id: reports
    path: /api/reports/*
    methods: [GET]
    allow: { permissions: { any: [a:read, b:write] } }
  - { id: admin, path: /api/admin/**, allow: { roles: { all: [ADMIN, USER] } } }
  - id: team
    path: /api/team/*
    allow: { roles: { any: [ADMIN, USER] }, permissions: { all: [a:read, b:write] } }
  - { id: hooks, path: /api/hooks/*, methods: [POST], allow: authenticated, csrf: off }
  - { id: shared, path: /api/shared/**, allow: authenticated, preflight: allow }
  - { id: me, path: [/api/me, /api/café], allow: authenticated }
`;

type Place =
  'open' | 'report' | 'admin' | 'team' | 'hook' | 'shared' | 'me' | 'nowhere' | 'ambiguous';

/** What each target is, by hand. */
export const places: Readonly<Record<string, Place>> = {
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
  '/api/team/1': 'team',
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

const rule = (
  id: string,
  allow: ModelRule['allow'],
  csrf = true,
  preflight = false,
): ModelRule => ({
  id,
  allow,
  csrf,
  preflight,
});

export const modelRules: ModelRules = (method, target) => {
  switch (places[target]) {
    case 'open':
      return rule('open', 'public');
    case 'report':
      return method === 'GET' || method === 'HEAD' ? rule('reports', 'reader') : undefined;
    case 'admin':
      return rule('admin', 'admin');
    case 'team':
      return rule('team', 'team');
    case 'hook':
      return method === 'POST' ? rule('hooks', 'session', false) : undefined;
    case 'shared':
      return rule('shared', 'session', true, true);
    case 'me':
      return rule('me', 'session');
    case 'ambiguous':
      return 'ambiguous';
    case 'nowhere':
    case undefined:
      break;
  }
  return undefined;
};
