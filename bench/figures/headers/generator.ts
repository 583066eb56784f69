import fc from 'fast-check';
import { inboundHeadersToStrip } from '@sallyport/shared';

/** What a client would like to be. */
export const forged = 'forged-by-client';

export type Credential = 'session' | 'none' | 'unknown' | 'twice' | 'other lane';

/** A request as a client writes it; the runner only fills the session's id in. */
export interface GeneratedRequest {
  readonly protocol: 'h1' | 'h2';
  /** HTTP/2 as a library would send it: without capitals and hop-by-hop headers. */
  readonly byTheBook: boolean;
  readonly method: string;
  readonly path: string;
  readonly credential: Credential;
  /** Which of the sessions. */
  readonly session: number;
  readonly lines: readonly string[];
  /** Forgeries after a body. */
  readonly trailers: readonly string[];
}

const name = fc.constantFrom(...inboundHeadersToStrip);

/** The same name as other software would still fold into it. */
const spelling = fc
  .tuple(name, fc.infiniteStream(fc.boolean()), fc.constantFrom('none', 'all', 'some'))
  .map(([text, coins, underscores]) =>
    Array.from(text)
      .map((letter) => {
        const [coin, other] = [coins.next().value === true, coins.next().value === true];
        if (letter === '-') {
          return underscores === 'all' || (underscores === 'some' && other) ? '_' : '-';
        }
        return coin ? letter.toUpperCase() : letter;
      })
      .join(''),
  );

/** Mostly plain: a request that Envoy refuses proves little. */
const dashed = spelling.map((text) => text.replaceAll('_', '-'));
const colon = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(': ', ':', ':\t', ':   ') },
  { weight: 1, arbitrary: fc.constant(' : ') },
);
const value = fc.constantFrom(forged, '', `${forged},admin`, `admin, ${forged}`, ` ${forged} `);
const forgery = fc
  .tuple(
    fc.oneof({ weight: 12, arbitrary: dashed }, { weight: 1, arbitrary: spelling }),
    colon,
    value,
    fc.integer({ min: 1, max: 3 }),
  )
  .map(([header, separator, text, times]) =>
    Array.from({ length: times }, () => header + separator + text),
  );

/** Hop-by-hop nominations: whoever obeys them takes away what extauthz has set. */
const nomination = fc
  .tuple(
    fc.constantFrom('Connection', 'connection', 'CONNECTION', 'Proxy-Connection'),
    fc.array(dashed, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', 'close, ', 'keep-alive, '),
    fc.constantFrom(', ', ',', ' ,'),
  )
  .map(([header, names, first, comma]) => `${header}: ${first}${names.join(comma)}`);

const others = fc.constantFrom(
  'TE: trailers',
  'X-Forwarded-User: root',
  'X-Forwarded-For: 127.0.0.1',
  'X-Envoy-Original-Path: /api/admin',
  'X-Envoy-Auth-Headers-To-Remove: x-user-id',
  'X-Request-Id: 11111111-1111-4111-8111-111111111111',
  'Accept: text/html',
);

export const generatedRequest: fc.Arbitrary<GeneratedRequest> = fc
  .record({
    protocol: fc.constantFrom('h1' as const, 'h1' as const, 'h2' as const),
    byTheBook: fc.nat({ max: 14 }).map((one) => one > 0),
    method: fc.constantFrom('GET', 'GET', 'GET', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH'),
    path: fc.constantFrom(
      ...['/api/me', '/api/me', '/api/orders/7?page=2', '/api', '/api/', '//api/me'],
      ...['/api/../api/me', '/', '/assets/app.js', '/apiary', '/API/me'],
    ),
    credential: fc.oneof(
      { weight: 8, arbitrary: fc.constant<Credential>('session') },
      { weight: 2, arbitrary: fc.constantFrom<Credential>('none', 'unknown') },
      { weight: 1, arbitrary: fc.constantFrom<Credential>('twice', 'other lane') },
    ),
    session: fc.nat({ max: 19 }),
    forgeries: fc.array(forgery, { maxLength: 4 }),
    nominations: fc.array(nomination, { maxLength: 1 }),
    others: fc.array(others, { maxLength: 2 }),
    trailing: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(forgery, { minLength: 1, maxLength: 2 }) },
    ),
  })
  .map(({ forgeries, nominations, others: rest, trailing, ...request }) => ({
    ...request,
    trailers: trailing.flat(),
    lines: [...forgeries.flat(), ...nominations, ...rest],
  }));
