/**
 * The series of a metric by the values of its labels, each looked up once: they are few, and prom-client
 * sorts and joins them at every look.
 */
export function labelled<T>(lookUp: (...values: string[]) => T): (...values: string[]) => T {
  const known = new Map<string, T>();
  return (...values) => {
    const key = values.join('\n');
    let series = known.get(key);
    if (series === undefined) known.set(key, (series = lookUp(...values)));
    return series;
  };
}
