/**
 * Names that occur twice in one object of a JSON text. JSON.parse lets the last of them win without a
 * word, so a second `issuer` further down would decide. The text must be one that JSON.parse took.
 * @returns each with its line
 */
export function doubledNames(
  text: string,
): readonly { readonly name: string; readonly line: number }[] {
  const found: { name: string; line: number }[] = [];
  /** Of the objects that are open; a list has no names. */
  const open: (Set<string> | undefined)[] = [];
  let mayBeName = false;
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;
  for (const { 0: token, index } of text.matchAll(tokens)) {
    const names = open.at(-1);
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token !== ',' && mayBeName && names !== undefined) {
      // As it reads, not as it is written: "\u0069d" is "id".
      const name = JSON.parse(token) as string;
      if (names.has(name)) found.push({ name, line: text.slice(0, index).split('\n').length });
      names.add(name);
    }
    mayBeName = token === '{' || token === ',';
  }
  return found;
}
