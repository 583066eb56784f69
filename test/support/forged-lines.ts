/** What a client would like to be; no upstream may see it anywhere. */
export const forgedValue = 'forged-by-client';

const names = ['X-User-Id', 'X-Roles', 'X-Permissions'];
const lines = (write: (name: string) => string): string[] =>
  names.map((name) => `${write(name)}: ${forgedValue}`);

/** Ways to write forged identity headers, as the bytes of a request. */
export const forgedLines: Readonly<Record<string, readonly string[]>> = {
  'as they are': lines((name) => name),
  'in lower case': lines((name) => name.toLowerCase()),
  'in upper case': lines((name) => name.toUpperCase()),
  'in mixed case': lines((name) => name.replace(/[a-z]/g, (c, at) => flip(c, Number(at)))),
  'twice over': [...lines((name) => name), ...lines((name) => name)],
  'twice over in two cases': [
    ...lines((name) => name.toLowerCase()),
    ...lines((name) => name.toUpperCase()),
  ],
  'with underscores': lines((name) => name.replaceAll('-', '_')),
  'with underscores beside dashes': [
    ...lines((name) => name.replaceAll('-', '_')),
    ...lines((name) => name),
  ],
  // A hop-by-hop header is removed by whoever forwards: named so, ours must not be.
  'and named in Connection': [`Connection: ${names.join(', ')}`, ...lines((name) => name)],
  'by naming ours in Connection': [`Connection: ${names.join(', ')}`],
  'by naming ours in Connection, in upper case': [`Connection: ${names.join(',').toUpperCase()}`],
  'with a blank before the colon': lines((name) => `${name} `),
  'with the optional headers': ['X-User-Email', 'X-Session-Kind', 'X-Identity-Jwt'].map(
    (name) => `${name}: ${forgedValue}`,
  ),
};

function flip(letter: string, at: number): string {
  return at % 2 === 0 ? letter.toUpperCase() : letter;
}
