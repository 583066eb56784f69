import { createHash } from 'node:crypto';

const style =
  ':root{color-scheme:light dark;font:1.0625rem/1.6 system-ui,sans-serif}body{margin:0;min-height:100vh;display:grid;place-items:center;background:Canvas;color:CanvasText}main{max-width:30rem;padding:2rem}h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}p{margin:0 0 1.25rem}a{font:inherit;color:inherit;display:inline-block;padding:.5rem 1.25rem;border:1px solid currentColor;border-radius:.5rem;text-decoration:none}a:focus-visible{outline:3px solid Highlight;outline-offset:2px}';

const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Of every page of ours; nothing of it may be kept, framed or tell where a person came from. */
export function pageHeaders(status: 400 | 401): [string, string][] {
  const headers: [string, string][] = [
    ['content-type', 'text/html; charset=utf-8'],
    ['cache-control', 'no-store'],
    ['content-security-policy', contentSecurityPolicy],
    ['referrer-policy', 'no-referrer'],
    ['x-content-type-options', 'nosniff'],
  ];
  if (status === 401) headers.push(['www-authenticate', 'Bearer realm="sallyport"']);
  return headers;
}

interface Page {
  readonly title: string;
  readonly text: string;
  readonly link: { readonly label: string; readonly href: string };
  readonly refresh?: boolean;
}

function render({ title, text, link, refresh }: Page): string {
  const href = escapeHtml(link.href);
  const meta = refresh ? `<meta http-equiv="refresh" content="0;url=${href}">\n` : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
${meta}<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
<p><a href="${href}">${escapeHtml(link.label)}</a></p>
</main>
</body>
</html>
`;
}

/** Asks for the same page again, now from our own site. @param url absolute, of our origin */
export function bouncePage(url: string): string {
  return render({
    title: 'One moment',
    text: 'You are being taken onward.',
    link: { label: 'Continue', href: url },
    refresh: true,
  });
}

export function clearPage(href: string): string {
  return render({
    title: 'Two sessions in one browser',
    text: 'This browser sent more than one session cookie, and nobody can know which one is yours. Clear the cookies of this site, then log in again.',
    link: { label: 'Clear the cookies of this site', href },
  });
}

export function clearedPage(): string {
  return render({
    title: 'The cookies are cleared',
    text: 'If you see the same message again, delete the cookies of this site in the settings of your browser.',
    link: { label: 'Continue', href: '/' },
  });
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
