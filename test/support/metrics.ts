/** The value of the first metric line that fits; undefined where there is none. */
export async function metric(healthPort: number, line: RegExp): Promise<number | undefined> {
  const answer = await fetch(`http://127.0.0.1:${String(healthPort)}/metrics`);
  const [, value] = line.exec(await answer.text()) ?? [];
  return value === undefined ? undefined : Number(value);
}
