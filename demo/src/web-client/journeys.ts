import type { Person } from '../idp/people.js';
import type { Answer } from './exchange.js';
import type { WebClient } from './web-client.js';

/** From the login's start to the page it returns to, filling in the provider's form. */
export async function logIn(
  client: WebClient,
  origin: string,
  person: Person,
  returnUrl = '/',
): Promise<Answer> {
  const start = new URL('/oauth2/authorization/idp', origin);
  start.searchParams.set('returnUrl', returnUrl);
  const page = await client.open(start.href);
  expectStatus(page, 200, 'the login form');
  return client.submit(page, { user: person.sub, password: person.password });
}

/** From the app's button through the provider's own sign-out to the page after it. */
export async function logOut(client: WebClient, origin: string): Promise<Answer> {
  const home = await client.open(`${origin}/`);
  const page = await client.post(home, '/logout', {});
  expectStatus(page, 200, 'the provider’s sign-out page');
  // What its script does in a browser.
  return client.submit(page, { logout: 'yes' });
}

function expectStatus(answer: Answer, status: number, what: string): void {
  if (answer.status === status) return;
  const { origin, pathname } = new URL(answer.url);
  throw new Error(`${what}: ${origin}${pathname} answered ${answer.status}, not ${status}`);
}
