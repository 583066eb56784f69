import { headerOf, setCookiesOf, type HttpConnection } from './connection.js';
import type { Provider } from './provider.js';
import { navigationText } from './requests.js';
import type { Doer } from './saturate.js';
import type { LoginWork } from './work.js';

let people = 0;

/** Whole logins, each of a person of their own. Session cookies' values are handed to `keep`. */
export function loginDoers(
  { startPath, loggedIn }: LoginWork,
  provider: Provider,
  connections: readonly HttpConnection[],
  keep: (sessionId: string) => void,
): Doer[] {
  return connections.map((connection) => async () => {
    people += 1;
    const sub = `auth0|bench-${people}`;
    const start = await connection.send(navigationText(startPath, [], 'none'));
    const location = headerOf(start.head, 'location');
    if (start.status !== 302 || location === undefined) return start.status;
    const callback = new URL(provider.authorize(location, sub));
    const path = callback.pathname + callback.search;
    const cookies = setCookiesOf(start.head);
    const answer = await connection.send(navigationText(path, cookies, 'cross-site'));
    const session = setCookiesOf(answer.head).find((pair) =>
      pair.startsWith(`${loggedIn.cookie}=`),
    );
    const value = session?.slice(loggedIn.cookie.length + 1) ?? '';
    if (answer.status !== loggedIn.status || value === '') return answer.status || 0;
    keep(value);
    return 200;
  });
}
