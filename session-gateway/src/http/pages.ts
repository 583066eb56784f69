import { createHash } from 'node:crypto';

const style = `
:root{color-scheme:light dark;font:1.0625rem/1.6 system-ui,sans-serif}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:Canvas;color:CanvasText}
main{max-width:30rem;padding:2rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
p{margin:0 0 1.25rem}
a,button{font:inherit;color:inherit}
.action{display:inline-block;padding:.5rem 1.25rem;border:1px solid currentColor;border-radius:.5rem;background:none;text-decoration:none;cursor:pointer}
.action:focus-visible{outline:3px solid Highlight;outline-offset:2px}
`;

/** The one inline thing on our pages, allowed by its hash. */
export const styleSource = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;

/** Where the form of {@link clearCookiesPage} goes. */
export const clearCookiesPath = '/auth/clear-cookies';

interface Page {
  readonly title: string;
  readonly text: string;
  readonly action?: { readonly label: string; readonly href: string };
  readonly form?: { readonly label: string; readonly action: string };
  readonly refreshTo?: string;
}

function render({ title, text, action, form, refreshTo }: Page): string {
  const refresh =
    refreshTo === undefined
      ? ''
      : `<meta http-equiv="refresh" content="0;url=${escapeHtml(refreshTo)}">\n`;
  const link = action
    ? `<p><a class="action" href="${escapeHtml(action.href)}">${escapeHtml(action.label)}</a></p>\n`
    : '';
  const button = form
    ? `<form method="post" action="${escapeHtml(form.action)}"><button class="action">${escapeHtml(form.label)}</button></form>\n`
    : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
${refresh}<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
${link}${button}</main>
</body>
</html>
`;
}

/**
 * Sends the browser on from a page of ours. A 302 would not do: the Strict cookie set with it is not
 * sent on the page that follows, in any engine (REAL-PARTS, measured).
 * @param url absolute and judged before: `safeReturnUrl`, or the identity provider's.
 */
export function bouncePage(url: string): string {
  return render({
    title: 'One moment',
    text: 'You are being taken onward.',
    action: { label: 'Continue', href: url },
    refreshTo: url,
  });
}

export function confirmLogoutPage(): string {
  return render({
    title: 'Log out?',
    text: 'You were sent here from elsewhere. Nothing has happened yet.',
    form: { label: 'Log out', action: '/logout' },
  });
}

/** For a person whom another site sent to a login's start. @param href the start again, of ours */
export function confirmLoginPage(href: string): string {
  return render({
    title: 'Log in?',
    text: 'You were sent here from another site. Nothing has happened yet.',
    action: { label: 'Log in', href },
  });
}

/** Two session cookies: only the browser can remove one that a sibling site planted (ATTACKS 26). */
export function clearCookiesPage(): string {
  return render({
    title: 'Two sessions in one browser',
    text: 'This browser sent more than one session cookie, and nobody can know which one is yours. Clear the cookies of this site, then log in again.',
    form: { label: 'Clear the cookies of this site', action: clearCookiesPath },
  });
}

export function clearedCookiesPage(): string {
  return render({
    title: 'The cookies are cleared',
    text: 'If you see the same message again, delete the cookies of this site in the settings of your browser.',
    action: { label: 'Start page', href: '/' },
  });
}

export function problemPage(
  problem: { readonly title: string; readonly detail: string },
  action: { readonly label: string; readonly href: string },
): string {
  return render({ title: problem.title, text: problem.detail, action });
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
