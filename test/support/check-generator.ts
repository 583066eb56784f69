import type { SessionId, SessionKind } from '@sallyport/shared';
import fc, { type Arbitrary } from 'fast-check';
import { modelOrigins, type ModelRequest, type Stored } from './check-model.js';
import { places } from './check-rules.js';
import { cookieName } from './facts.js';

/** What Node's HTTP parser knows; others never get so far. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'];

type Lines = readonly (readonly [string, string])[];

/** One line in `n` requests, else none. */
const oneIn = (n: number, line: Arbitrary<readonly [string, string]>): Arbitrary<Lines> =>
  fc.oneof(
    { weight: n - 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: line.map((one) => [one]) },
  );
const named = (
  name: string | Arbitrary<string>,
  value: Arbitrary<string>,
): Arbitrary<readonly [string, string]> =>
  fc.tuple(typeof name === 'string' ? fc.constant(name) : name, value);
const among = (...lines: Arbitrary<Lines>[]): Arbitrary<Lines> =>
  fc.tuple(...lines).map((parts) => parts.flat());

const origin = fc.constantFrom(
  modelOrigins.own,
  modelOrigins.own,
  modelOrigins.trusted,
  'https://evil.example',
  `${modelOrigins.own}.evil.example`,
  'null',
);

/** What a browser says of where a request comes from, honest or not. */
const browserLines = among(
  oneIn(2, named('origin', origin)),
  oneIn(40, named('Origin', origin)),
  oneIn(
    2,
    named(
      'sec-fetch-site',
      fc.constantFrom('same-origin', 'same-origin', 'none', 'same-site', 'cross-site', ''),
    ),
  ),
  oneIn(3, named('sec-fetch-mode', fc.constantFrom('cors', 'navigate', 'navigate', 'websocket'))),
  oneIn(6, named('Sec-WebSocket-Version', fc.constantFrom('13', '8', ''))),
  oneIn(6, named('access-control-request-method', fc.constantFrom(...methods, 'get', ''))),
);

const otherLine = named(
  fc.constantFrom(
    ...['x-user-id', 'X_User_Id', 'x_roles', 'x-other', 'x-envoy-original-path', 'X-Request-Id'],
  ),
  fc.constantFrom('root', '', '/admin'),
);

/** Most of them where a session decides, or credentials would hardly be looked at. */
const asked = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      { method: 'GET', target: '/api/me' },
      { method: 'POST', target: '/api/me' },
      { method: 'GET', target: '/api/reports/7' },
      { method: 'GET', target: '/api/admin/users/1' },
      { method: 'GET', target: '/api/team/1' },
      { method: 'POST', target: '/api/hooks/1' },
      { method: 'OPTIONS', target: '/api/shared/things' },
    ),
  },
  fc.record({
    method: fc.constantFrom(...methods),
    target: fc.constantFrom(...Object.keys(places)),
  }),
);

/** @param ids those that the store knows something of */
export function requests(ids: readonly SessionId[]): Arbitrary<ModelRequest> {
  const known = fc.constantFrom(...ids);
  const id: Arbitrary<string> = fc.oneof(
    { weight: 5, arbitrary: known },
    { weight: 1, arbitrary: known.chain((one) => fc.constantFrom('x', '', `${one}x`)) },
  );
  const own = id.map((one) => `${cookieName}=${one}`);
  const foreign = fc.constantFrom(
    ...['a=b', 'a=b,c', '__Host-sref=x', '__Host-login-x=y', '', 'a', '='],
    ...[`x${cookieName}=1`, `${cookieName}x=1`],
  );
  const odd = fc.oneof(
    id.map((one) => `${cookieName} = ${one} `),
    id.map((one) => `a=1,${cookieName}=${one}`),
    fc.constant(cookieName),
  );
  const pairs = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.array(foreign, { maxLength: 1 }), own, fc.array(foreign, { maxLength: 1 }))
        .map(([before, one, after]) => [...before, one, ...after]),
    },
    fc.array(fc.oneof(own, foreign, odd), { minLength: 1, maxLength: 3 }),
  );
  const padding = fc.oneof(
    { weight: 59, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.constant(['a'.repeat(8193)]) },
  );
  const cookie = named(
    fc.constantFrom('cookie', 'Cookie'),
    fc.tuple(pairs, padding).map((parts) => parts.flat().join('; ').trim()),
  );
  const authorization = named(
    fc.constantFrom('authorization', 'Authorization'),
    id
      .chain((one) =>
        fc.constantFrom(
          ...[`Bearer ${one}`, `bearer  ${one}`, `Bearer ${one}`, 'Basic x', 'Bearer'],
          ...[`Bearer ${one},x`, `Basic x, Bearer ${one}`, 'Digest a="b", uri="/bearer"'],
        ),
      )
      .map((text) => text.trim()),
  );
  const lines = among(
    fc.oneof({ weight: 3, arbitrary: cookie.map((one) => [one]) }, fc.constant([])),
    oneIn(25, cookie),
    oneIn(3, authorization),
    oneIn(15, authorization),
    oneIn(10, otherLine),
    browserLines,
  );
  return fc.tuple(asked, lines).map(([at, sent]) => ({ ...at, lines: sent }));
}

/** What the gateway, or a fault, makes of a session's record. */
export function records(): Arbitrary<Stored> {
  const kinds: readonly SessionKind[] = ['browser', 'browser', 'native', 'service'];
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        state: fc.constantFrom('live' as const, 'live' as const, 'live' as const, 'expired'),
        kind: fc.constantFrom(...kinds),
        user: fc.constantFrom('ada', 'grace', 'mary'),
        roles: fc.subarray(['ADMIN', 'USER']),
        permissions: fc.subarray(['a:read', 'a:read:any', 'b:write']),
      }),
    },
    fc.record({ state: fc.constantFrom('absent' as const, 'corrupt', 'down') }),
  );
}
