/** Just enough HTML reading for our own pages and the provider's: no general parser. */
export interface Form {
  readonly action: string;
  readonly method: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** The first form of a page with its inputs' values. @throws Error when there is none. */
export function firstForm(html: string): Form {
  const [, opening = '', content = ''] = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(html) ?? [];
  if (opening === '') throw new Error(`no form on this page: ${html.slice(0, 200)}`);
  const fields: Record<string, string> = {};
  for (const [, attributes = ''] of content.matchAll(/<input\b([^>]*)>/gi)) {
    const name = attribute(attributes, 'name');
    if (name !== undefined) fields[name] = attribute(attributes, 'value') ?? '';
  }
  return {
    action: attribute(opening, 'action') ?? '',
    method: (attribute(opening, 'method') ?? 'get').toUpperCase(),
    fields,
  };
}

/** Where a `<meta http-equiv="refresh">` leads. */
export function metaRefresh(html: string): string | undefined {
  const [tag] = /<meta\b[^>]*http-equiv=["']?refresh[^>]*>/i.exec(html) ?? [];
  const content = tag === undefined ? undefined : attribute(tag, 'content');
  return /url=(.*)$/i.exec(content ?? '')?.[1]?.replace(/^'|'$/g, '');
}

function attribute(text: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}=(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(text);
  return value === null ? undefined : unescape(value[1] ?? value[2] ?? value[3] ?? '');
}

function unescape(text: string): string {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_all, hex: string) => String.fromCodePoint(parseInt(hex, 16)))
    .replace(/&(amp|lt|gt|quot|#39);/g, (_all, name: string) => entities[name] ?? '');
}
