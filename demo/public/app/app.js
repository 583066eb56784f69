const view = document.querySelector('#view');
const address = new URL(document.location.href);
const defaultReturnUrl = '/';

function show(name) {
  view.replaceChildren(document.querySelector(`template#${name}`).content.cloneNode(true));
  document.body.dataset.view = name;
}

function setText(name, text) {
  const element = view.querySelector(`[data-text="${name}"]`);
  element.textContent = text;
  element.hidden = text === '';
}

function setList(name, values) {
  const items = values.map((value) => {
    const item = document.createElement('span');
    item.className = 'tag';
    item.textContent = value;
    return item;
  });
  view.querySelector(`[data-list="${name}"]`).replaceChildren(...items);
}

function inWords(epochSeconds) {
  return new Date(epochSeconds * 1000).toLocaleTimeString([], { timeStyle: 'short' });
}

const loginErrors = {
  auth_failed: [
    'The login did not work',
    'The identity provider did not let you in. You can try again.',
  ],
  // The answer to prompt=none.
  login_required: ['Log in', 'You are not logged in at the identity provider.'],
};

function showLogin() {
  show('login');
  const returnUrl = address.searchParams.get('returnUrl') ?? defaultReturnUrl;
  const start = new URL('/oauth2/authorization/idp', address.origin);
  start.searchParams.set('returnUrl', returnUrl);
  view.querySelector('[data-login]').href = start.href;
  const error = address.searchParams.get('error');
  const [title, text] =
    loginErrors[error] ?? (error === null ? ['Log in', ''] : loginErrors.auth_failed);
  setText('title', title);
  setText('error', text);
  if (error !== null && error !== 'login_required')
    view.querySelector('[data-login]').textContent = 'Try again';
}

function showPerson(session) {
  show('logged-in');
  const name = session.user.name ?? session.userId;
  setText('name', name);
  setText('email', session.user.email ?? '');
  setText(
    'initials',
    name
      .replace(/(\S)\S*\s*/g, '$1')
      .slice(0, 2)
      .toUpperCase(),
  );
  setText('userId', session.userId);
  setText('expiresAt', inWords(session.expiresAt));
  setText('absoluteExpiresAt', inWords(session.absoluteExpiresAt));
  setList('roles', session.roles);
  setList('permissions', session.permissions);
  document.querySelector('#log-out').hidden = false;
  document.querySelector('#who').textContent = name;
  for (const button of view.querySelectorAll('[data-call]')) {
    button.addEventListener('click', () => void call(button.dataset.call));
  }
}

async function call(what) {
  const [method, path] = what.split(' ');
  const body = method === 'POST' ? JSON.stringify({ text: 'A note from the page' }) : undefined;
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(path, { method, body, headers });
  const text = await response.text();
  const answer = view.querySelector('.answer');
  answer.hidden = false;
  answer.querySelector('[data-answer="call"]').textContent = what;
  const status = answer.querySelector('[data-answer="status"]');
  status.textContent = String(response.status);
  status.classList.toggle('bad', !response.ok);
  answer.querySelector('[data-answer="body"]').textContent = readable(text);
}

function readable(text) {
  try {
    const json = JSON.stringify(JSON.parse(text), undefined, 2);
    // A header is one line, not four.
    return json.replace(/\[\n\s+("[^\n]*),\n\s+("[^\n]*)\n\s+\]/g, '[$1, $2]');
  } catch {
    return text;
  }
}

async function showHome() {
  show('loading');
  const response = await fetch('/auth/session', { headers: { accept: 'application/json' } });
  if (!response.ok) {
    show('unavailable');
    return;
  }
  const session = await response.json();
  if (session.userId === undefined) show('anonymous');
  else showPerson(session);
}

const views = {
  '/': showHome,
  '/login': showLogin,
  '/oops': () => show('oops'),
  '/peace': () => show('peace'),
};

try {
  await (views[address.pathname] ?? (() => show('not-found')))();
} catch {
  show('unavailable');
}
