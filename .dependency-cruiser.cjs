/** The architecture, as rules that fail the build (STYLE: dependency rules). */
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['(main|smoke)\\.ts$', '\\.d\\.ts$'] },
      to: {},
    },
    {
      name: 'services-are-strangers',
      comment: 'extauthz and session-gateway meet only in Redis; shared is their contract.',
      severity: 'error',
      from: { path: '^(extauthz|session-gateway)/' },
      to: { path: '^(extauthz|session-gateway)/', pathNot: '^$1/' },
    },
    {
      name: 'shared-knows-no-service',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(extauthz|session-gateway|demo)/' },
    },
    {
      name: 'services-never-depend-on-the-demo',
      severity: 'error',
      from: { path: '^(extauthz|session-gateway)/' },
      to: { path: '^demo/' },
    },
    {
      name: 'contract-is-pure',
      comment: 'shared/src/*.ts is the contract; I/O libraries belong in shared/src/runtime.',
      severity: 'error',
      from: { path: '^shared/src/[^/]+\\.ts$' },
      to: { path: '^node_modules|^shared/src/runtime/' },
    },
    {
      name: 'openid-client-under-oidc-only',
      severity: 'error',
      from: { pathNot: '^session-gateway/src/oidc/' },
      to: { path: 'node_modules/(openid-client|oauth4webapi)/' },
    },
    {
      name: 'grpc-under-grpc-only',
      severity: 'error',
      from: { pathNot: '^extauthz/src/grpc/' },
      to: { path: 'node_modules/@grpc/' },
    },
    {
      name: 'pure-core',
      comment: 'The decision and its neighbours import no adapter.',
      severity: 'error',
      from: {
        path: '(extauthz/src/(check|csrf|decision|navigation|path|pattern|policy|policy-file|request-facts|rule|rule-tree)|session-gateway/src/(http/(return-url|same-origin)|oidc/(token-set|authorization-request)))\\.ts$',
      },
      to: {
        path: 'node_modules/(ioredis|express|openid-client|@grpc|pino|prom-client)/|^shared/src/runtime/',
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'types', 'node', 'default'],
    },
  },
};
