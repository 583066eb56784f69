import { people } from '../idp/people.js';
import { forgedValue, forgeries, identityIn } from './forgeries.js';
import { exchange, type Answer } from '../web-client/exchange.js';
import { logIn, logOut } from '../web-client/journeys.js';
import { WebClient } from '../web-client/web-client.js';

export interface Step {
  readonly title: string;
  /** Rejects with what is wrong. */
  readonly run: () => Promise<void>;
}

const cookieName = '__Host-session';

/** The whole journey of one person, as a list that is worked off in order. */
export function smokeSteps(origin: string, client = new WebClient()): readonly Step[] {
  const [person] = people;
  let oldCookie = '';
  const api = (path: string): string => `${origin}/api/${path}`;
  return [
    {
      title: 'without a session, /api/me is 401',
      run: async () => expectDenial(await exchange(api('me'), json), 401),
    },
    {
      title: 'forged identity on an unprotected route does not arrive',
      run: () => tryForgeries(`${origin}/app-echo`, client, []),
    },
    {
      title: `${person.sub} logs in at the identity provider`,
      run: async () => {
        const page = await logIn(client, origin, person);
        expectEqual('the page after the login', page.url, `${origin}/`);
        oldCookie = client.cookies.get('localhost', cookieName) ?? '';
        if (oldCookie === '') throw new Error(`no ${cookieName} cookie`);
      },
    },
    {
      title: '/api/me knows who calls',
      run: async () => {
        const answer = await client.fetch(api('me'));
        expectEqual('status', answer.status, 200);
        const { roles } = JSON.parse(answer.text) as { roles: string[] };
        expectEqual('roles', roles.join(), person.role);
      },
    },
    {
      title: 'forged identity on a protected route is replaced',
      run: async () => {
        const truth = identityIn((await client.fetch(api('echo'))).text);
        expectEqual('identity headers', truth.length, 3);
        await tryForgeries(api('echo'), client, truth);
      },
    },
    {
      title: 'no cookie reaches the API',
      run: async () => {
        const { text } = await client.fetch(api('echo'));
        if (text.includes(oldCookie)) throw new Error('the API saw the session cookie');
      },
    },
    {
      title: 'a note is posted',
      run: async () => {
        const headers = [['Content-Type', 'application/json']] as const;
        const body = JSON.stringify({ text: 'smoke' });
        const answer = await client.fetch(api('notes'), { method: 'POST', headers, body });
        expectEqual('status', answer.status, 201);
      },
    },
    {
      title: 'logs out, here and at the identity provider',
      run: async () => {
        const page = await logOut(client, origin);
        expectEqual('the page after the logout', page.url, `${origin}/peace`);
      },
    },
    {
      title: 'the old cookie is worth nothing: 401',
      run: async () => {
        const headers = [...json.headers, ['Cookie', `${cookieName}=${oldCookie}`]] as const;
        expectDenial(await exchange(api('me'), { headers }), 401);
      },
    },
  ];
}

const json = { headers: [['Accept', 'application/json']] } as const;

/** Every forgery either never passes the edge (400) or leaves the true identity alone. */
async function tryForgeries(
  url: string,
  client: WebClient,
  truth: readonly (readonly [string, string])[],
): Promise<void> {
  for (const { name, headers } of forgeries) {
    const { status, text } = await client.fetch(url, { headers });
    if (status === 400) continue;
    expectEqual(`${name}: status`, status, 200);
    expectEqual(`${name}: identity`, JSON.stringify(identityIn(text)), JSON.stringify(truth));
    if (text.includes(forgedValue)) throw new Error(`${name}: the forged value arrived`);
  }
}

function expectDenial(answer: Answer, status: number): void {
  expectEqual('status', answer.status, status);
  expectEqual('content type', answer.headers['content-type'], 'application/problem+json');
}

function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) {
    throw new Error(`${what} is ${String(actual)}, expected ${String(expected)}`);
  }
}
