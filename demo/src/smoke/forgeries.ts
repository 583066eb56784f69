import { identityHeaders } from '@sallyport/shared';
import type { HeaderList } from '../web-client/exchange.js';

/** One way to pass a forged identity to the edge. */
export interface Forgery {
  readonly name: string;
  readonly headers: HeaderList;
}

/** What no upstream may ever see, in any header. */
export const forgedValue = 'forged-by-client';

const names = ['X-User-Id', 'X-Roles', 'X-Permissions'];
const all = (write: (name: string) => string): HeaderList =>
  names.map((name) => [write(name), forgedValue]);

export const forgeries: readonly Forgery[] = [
  { name: 'as they are', headers: all((name) => name) },
  { name: 'lower case', headers: all((name) => name.toLowerCase()) },
  { name: 'upper case', headers: all((name) => name.toUpperCase()) },
  { name: 'doubled', headers: [...all((name) => name), ...all((name) => name.toLowerCase())] },
  { name: 'with underscores', headers: all((name) => name.replaceAll('-', '_')) },
  {
    name: 'named in Connection',
    headers: [['Connection', names.join(', ')], ...all((name) => name)],
  },
  {
    name: 'named in Connection only',
    headers: [['Connection', `close, ${names.join(', ')}`]],
  },
  {
    name: 'optional ones',
    headers: ['X-User-Email', 'X-Session-Kind', 'X-Identity-Jwt'].map((name) => [
      name,
      forgedValue,
    ]),
  },
];

/** The identity headers of an echo's answer, in order, doubled ones twice. */
export function identityIn(echoText: string): [string, string][] {
  const { headers } = JSON.parse(echoText) as { headers: [string, string][] };
  return headers.filter(([name]) =>
    identityHeaders.some((identity) => identity === name.replaceAll('_', '-')),
  );
}
