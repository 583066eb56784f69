import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { reportFigure } from '../support/figures.js';
import {
  oneRegistration,
  person,
  sides,
  twoRegistrations,
  type LoginGround,
  type Side,
} from '../support/login-grounds.js';
import { describeOnRedis, type TestRedis } from '../support/redis.js';

/** What a callback is made of: things of browser A or of browser B, of this provider or of that. */
interface Swap {
  readonly cookies: Side | 'none';
  readonly state: Side;
  /** Whose PKCE challenge the code is bound to; it is also that person who logged in. */
  readonly challenge: Side;
  readonly nonce: Side;
  /** The place that issued the code, the one that `iss` names, and the one it arrives at. */
  readonly code: number;
  readonly iss: number | 'missing';
  readonly path: number;
}

/** A browser in the middle of a login. */
interface Contender {
  readonly browser: BrowserJar;
  readonly start: URL;
  readonly state: string;
}

function product(ground: LoginGround): Swap[] {
  const places = ground.places.map((_, at) => at);
  const dimensions = {
    cookies: [...sides, 'none'],
    state: sides,
    challenge: sides,
    nonce: sides,
    code: places,
    iss: [...places, 'missing'],
    path: places,
  };
  return Object.entries(dimensions).reduce<Record<string, unknown>[]>(
    (all, [name, values]) =>
      all.flatMap((swap) => (values as unknown[]).map((value) => ({ ...swap, [name]: value }))),
    [{}],
  ) as unknown as Swap[];
}

/** Everything belongs to the browser that began the login, and to the provider it began it at. */
function isHonest(swap: Swap, { home }: LoginGround): boolean {
  const { cookies, state, challenge, nonce, code, iss, path } = swap;
  return (
    [cookies, challenge, nonce].every((side) => side === state) &&
    [code, iss, path].every((place) => place === home[state])
  );
}

function suite(redis: () => TestRedis, open: (redis: TestRedis) => Promise<LoginGround>): void {
  let ground: LoginGround;
  beforeAll(async () => {
    ground = await open(redis());
  });
  afterAll(() => ground.close());

  const callbackOf = (place: number): string =>
    `${ground.publicOrigin}/login/oauth2/code/${ground.places[place]?.id ?? ''}`;
  const idpOf = (place: number) => {
    const found = ground.places[place];
    if (found === undefined) throw new Error('no such place');
    return found.idp;
  };
  const tokenRequests = (): number =>
    ground.places.reduce((sum, { idp }) => sum + idp.count('/token'), 0);

  const begin = async (side: Side): Promise<Contender> => {
    const browser = new BrowserJar();
    const { id } = ground.places[ground.home[side]] ?? { id: '' };
    const answer = await browser.visit(`${ground.origin}/oauth2/authorization/${id}`);
    const start = new URL(String(answer.headers.location));
    return { browser, start, state: start.searchParams.get('state') ?? '' };
  };

  /** A code as an attacker can have one made: his browser sends the provider what he likes. */
  const codeFor = async (swap: Swap, both: Record<Side, Contender>): Promise<string> => {
    const idp = idpOf(swap.code);
    const url = new URL(`${idp.issuer}/auth`);
    url.search = both[swap.challenge].start.search;
    url.searchParams.set('redirect_uri', callbackOf(swap.code));
    url.searchParams.set('nonce', both[swap.nonce].start.searchParams.get('nonce') ?? '');
    idp.nextSubject = person(swap.challenge);
    const back = await new BrowserJar().redirectsUntil(url.href, callbackOf(swap.code));
    return new URL(back).searchParams.get('code') ?? '';
  };

  const attempt = async (swap: Swap): Promise<{ accepted: boolean; redeemed: boolean }> => {
    const both = { A: await begin('A'), B: await begin('B') };
    const url = new URL(callbackOf(swap.path).replace(ground.publicOrigin, ground.origin));
    url.searchParams.set('code', await codeFor(swap, both));
    url.searchParams.set('state', both[swap.state].state);
    if (swap.iss !== 'missing') url.searchParams.set('iss', idpOf(swap.iss).issuer);
    const visitor = swap.cookies === 'none' ? new BrowserJar() : both[swap.cookies].browser;
    const before = tokenRequests();
    const answer = await visitor.visit(url.href, { site: 'cross-site' });
    const accepted = setCookies(answer).some((line) => /^__Host-session=[^;]/.test(line));
    const user = await visitor.visit(`${ground.origin}/user`);
    const records = (await redis().admins[0]?.keys('*session:*'))?.length ?? 0;
    // All of it or nothing: no cookie without a session, no session that nobody was given.
    expect([swap, user.status, records]).toEqual([swap, accepted ? 200 : 401, accepted ? 2 : 0]);
    if (accepted) expect(user.text).toContain(person(swap.challenge));
    return { accepted, redeemed: tokenRequests() > before };
  };

  it('is accepted from the browser that began it, with all that belongs to it, and in no other way', async () => {
    const wrong: string[] = [];
    const swaps = product(ground);
    for (const swap of swaps) {
      await redis().admins[0]?.flushall();
      const { accepted, redeemed } = await attempt(swap);
      const honest = isHonest(swap, ground);
      if (accepted !== honest) wrong.push(`accepted: ${String(accepted)} ${JSON.stringify(swap)}`);
      // Nor is a provider asked for a browser that did not begin this, or for another's answer.
      const isOurs = swap.cookies === swap.state && swap.iss === ground.home[swap.state];
      if (redeemed && !(isOurs && swap.path === ground.home[swap.state])) {
        wrong.push(`redeemed ${JSON.stringify(swap)}`);
      }
    }
    const honest = swaps.filter((swap) => isHonest(swap, ground));
    expect(honest).toHaveLength(sides.length);
    const { name } = ground;
    reportFigure({ name: `login-swaps-${name}`, value: swaps.length, goal: { atLeast: 64 } });
    reportFigure({ name: `login-swaps-${name}-wrong`, value: wrong.length, goal: { atMost: 0 } });
    expect(wrong).toEqual([]);
  }, 300_000);
}

describe('a callback made of the things of two browsers', () => {
  const durable = { appendOnly: true };
  describeOnRedis(
    '6.2',
    'with one registration and a stranger’s provider',
    (redis) => suite(redis, oneRegistration),
    durable,
  );
  describeOnRedis(
    '6.2',
    'with a provider for each of them',
    (redis) => suite(redis, twoRegistrations),
    durable,
  );
});
