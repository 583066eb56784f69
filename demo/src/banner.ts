import { people } from './idp/people.js';
import type { Stack } from './stack.js';

/** What a person needs once everything runs. */
export function banner(stack: Stack, seconds: number): string {
  const { origin, ports, mode } = stack;
  const logins = people.map(({ sub, password, role }, index) => {
    const label = index === 0 ? 'Log in as' : '';
    return `  ${label.padEnd(11)} ${`${sub} / ${password}`.padEnd(20)} ${role}`;
  });
  return `
Sallyport is ready after ${seconds.toFixed(1)} s: Envoy asks extauthz over ${mode === 'http' ? 'HTTP' : 'gRPC'}.

  Open        ${origin}
${logins.join('\n')}

  Try         # without a session the edge says 401
              curl -i ${origin}/api/me
              # a forged identity does not get past the edge, not even to the open app
              curl -s -H 'X-User-Id: root' ${origin}/app-echo
              # give linus other roles; they count from the next login
              curl -s -X PUT -H 'Content-Type: application/json' -d '{"roles":["MANAGER"]}' \\
                http://127.0.0.1:${ports.permissionService}/demo/users/linus/roles

  Logs        ${stack.logDirectory}
  Stop        Ctrl-C
`;
}
