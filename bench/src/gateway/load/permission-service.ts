import { createServer } from 'node:http';
import { sessionAt } from '../../load/sessions.js';
import { sendText } from './provider.js';

/** Whose permissions are asked for is in the path; everybody has the same. */
const path = /^\/permission-service\/internal\/v1\/users\/([^/]+)\/permissions\?/;

/** The permission service, in the generator's own process: a user id, three roles, eight permissions. */
export async function startPermissionService(port: number): Promise<void> {
  const { roles, permissions } = sessionAt(0, 1, 1);
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    const [, sub] = path.exec(request.url ?? '') ?? [];
    if (sub === undefined) sendText(response, 404, '{}');
    else {
      const userId = decodeURIComponent(sub);
      sendText(response, 200, JSON.stringify({ userId, roles, permissions }));
    }
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}
