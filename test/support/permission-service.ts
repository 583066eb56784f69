import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A small real permission service that answers whatever a test wants. */
export interface TestPermissionService {
  readonly url: string;
  readonly requests: readonly string[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Back to the ordinary answer. */
  recover(): void;
  close(): Promise<void>;
}

export const ordinaryGrants = {
  userId: 'user-7',
  roles: ['ADMIN', 'USER'],
  permissions: ['transactions:read', 'transactions:read:any'],
};

export async function startPermissionService(): Promise<TestPermissionService> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    service.answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const service: TestPermissionService = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/permission-service`,
    requests,
    answer: answerJson(200, ordinaryGrants),
    recover() {
      service.answer = answerJson(200, ordinaryGrants);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return service;
}

export function answerJson(status: number, body: unknown): TestPermissionService['answer'] {
  return answerText(status, JSON.stringify(body), { 'content-type': 'application/json' });
}

export function answerText(
  status: number,
  body: string,
  headers: Record<string, string> = {},
): TestPermissionService['answer'] {
  return (request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  };
}
