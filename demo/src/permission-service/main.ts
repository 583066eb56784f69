/** The demo's permission service: who may do what, changeable while a person is logged in. */
import express from 'express';
import { listenOnLoopback, logRequests } from '../http-server.js';
import { people } from '../idp/people.js';
import { permissionsOf, rolesFrom, type Role } from './roles.js';

interface KnownUser {
  readonly userId: string;
  roles: readonly Role[];
}

const users = new Map<string, KnownUser>();
for (const person of people) add(person.sub, [person.role]);

const app = express();
app.disable('x-powered-by');
app.use(logRequests());
app.get('/healthz', (_request, response) => {
  response.type('text').send('ok\n');
});

app.get('/internal/v1/users/:sub/permissions', (request, response) => {
  const { sub } = request.params;
  const { userId, roles } = users.get(sub) ?? add(sub, ['USER']);
  response.json({ userId, roles, permissions: permissionsOf(roles) });
});

app.put('/demo/users/:sub/roles', express.json({ limit: '4kb' }), (request, response) => {
  const roles = rolesFrom(request.body);
  if (roles === undefined) {
    response.status(400).json({ error: 'Send {"roles": […]} with ADMIN, MANAGER or USER.' });
    return;
  }
  const { sub } = request.params;
  const user = users.get(sub) ?? add(sub, roles);
  user.roles = roles;
  response.json({ userId: user.userId, roles, permissions: permissionsOf(roles) });
});

await listenOnLoopback(app, Number(process.env['DEMO_PERMISSION_SERVICE_PORT'] ?? 8086));

function add(sub: string, roles: readonly Role[]): KnownUser {
  const user = { userId: `u-${1001 + users.size}`, roles };
  users.set(sub, user);
  return user;
}
