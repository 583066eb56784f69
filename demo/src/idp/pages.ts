import { people } from './people.js';

export interface LoginForm {
  readonly uid: string;
  readonly user: string;
  readonly error?: string;
}

export function loginPage({ uid, user, error }: LoginForm): string {
  const alert = error === undefined ? '' : `<p class="error" role="alert">${escape(error)}</p>`;
  const names = people.map((person) => `<code>${person.sub}</code>`).join(', ');
  return page(
    'Sign in',
    `<h1>Sign in</h1>
    <p class="quiet">to continue to <strong>Sallyport</strong></p>
    ${alert}
    <form method="post" action="/interaction/${escape(uid)}">
      <label for="user">User</label>
      <input id="user" name="user" value="${escape(user)}" autocomplete="username"
        autocapitalize="none" spellcheck="false" required ${user === '' ? 'autofocus' : ''}>
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autocomplete="current-password"
        required ${user === '' ? '' : 'autofocus'}>
      <button type="submit">Sign in</button>
    </form>
    <p class="hint">The people of the demo are ${names}; their passwords stand in the terminal.</p>`,
  );
}

/** The provider's own question, answered by the script; the button is for browsers without one. */
export function signOutPage(form: string): string {
  return page(
    'Sign out',
    `<h1>Signing out…</h1>
    ${form}
    <button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>
    <script src="/assets/sign-out.js"></script>`,
  );
}

export function messagePage(title: string, message: string): string {
  return page(title, `<h1>${escape(title)}</h1><p>${escape(message)}</p>`);
}

function page(title: string, main: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escape(title)} · Demo identity provider</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/assets/idp.css">
  </head>
  <body>
    <main>
      <p class="brand"><span aria-hidden="true">◆</span> Demo identity provider</p>
      ${main}
    </main>
  </body>
</html>
`;
}

function escape(text: string): string {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (char) => entities[char as keyof typeof entities]);
}
