import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request, type Agent } from 'node:http';
import { credentials, loadPackageDefinition, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { startChild, type ChildOptions, type ChildProcess } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { answersOk } from '@sallyport/demo/readiness';
import type { CheckResponse } from './grpc-messages.js';

const root = join(import.meta.dirname, '../..');

export interface ExtauthzProcess {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly healthPort: number;
  readonly child: ChildProcess;
  /** What it has logged so far. */
  readonly log: () => string;
}

/** The built binary, configured by environment only, ready to decide unless `ready: false`. */
export async function startExtauthz(options: {
  directory: string;
  env: Readonly<Record<string, string>>;
  ready?: boolean;
  onDeath?: ChildOptions['onDeath'];
}): Promise<ExtauthzProcess> {
  const [httpPort, grpcPort, healthPort] = [await freePort(), await freePort(), await freePort()];
  const probe = options.ready === false ? 'livez' : 'readyz';
  const child = await startChild({
    name: 'extauthz',
    command: process.execPath,
    args: [join(root, 'extauthz/dist/main.js')],
    env: {
      EXTAUTHZ_HTTP_PORT: String(httpPort),
      EXTAUTHZ_GRPC_PORT: String(grpcPort),
      EXTAUTHZ_HEALTH_PORT: String(healthPort),
      EXTAUTHZ_DRAIN_WAIT_MS: '0',
      ...patientDeadlines,
      ...options.env,
    },
    logFile: join(options.directory, `extauthz-${String(httpPort)}.log`),
    waitsFor: probe,
    isReady: () => answersOk(`http://127.0.0.1:${String(healthPort)}/${probe}`),
    ...(options.onDeath && { onDeath: options.onDeath }),
  });
  const log = () => readFileSync(child.logFile, 'utf8');
  return { httpPort, grpcPort, healthPort, child, log };
}

/**
 * How long checks may take here. A machine that runs tests stands still for longer than the shipped
 * deadlines now and then, and each time a check would be a 503 that no test is about.
 */
const patientDeadlines = {
  EXTAUTHZ_REDIS_DEADLINE_MS: '400',
  EXTAUTHZ_CHECK_DEADLINE_MS: '10000',
};
/** For tests that are about being late. */
export const shippedDeadlines = {
  EXTAUTHZ_REDIS_DEADLINE_MS: '150',
  EXTAUTHZ_CHECK_DEADLINE_MS: '250',
} as const;

/** For a Redis with nobody but its default user, who may do everything. */
export const redisWithoutUsers = { EXTAUTHZ_REDIS_WRITE_RIGHTS: 'acknowledged' } as const;

/** How long a check may take until the test is told that there was no answer, ms. */
const patience = 10_000;

export interface CheckAnswer {
  /** 200 for an allow, else what the client would get. */
  readonly status: number;
  /** Upstream's on an allow, the client's on a denial; lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
  readonly body: string;
}

type HeaderLines = readonly (readonly [name: string, value: string])[];

const namesHost = (headers: HeaderLines): boolean =>
  headers.some(([name]) => name.toLowerCase() === 'host');

/** One check over HTTP, each header line sent as given. */
export function checkHttp(
  port: number,
  headers: HeaderLines,
  target = '/api/me',
  method = 'GET',
  agent: Agent | false = false,
): Promise<CheckAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port,
        host: '127.0.0.1',
        path: target,
        method,
        agent,
        headers: [...(namesHost(headers) ? [] : ['host', 'edge']), ...headers.flat()],
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { 'x-envoy-auth-headers-to-remove': remove, ...rest } = response.headers;
          for (const name of ['connection', 'keep-alive', 'content-length', 'transfer-encoding']) {
            Reflect.deleteProperty(rest, name);
          }
          resolve({
            status: response.statusCode ?? 0,
            headers: rest as Record<string, string>,
            remove: typeof remove === 'string' ? remove.split(',') : [],
            body,
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.setTimeout(patience, () => {
      outgoing.destroy(new Error(`extauthz gave no answer over HTTP for ${String(patience)} ms`));
    });
    outgoing.end();
  });
}

interface AuthorizationClient extends Client {
  Check(
    request: object,
    options: { deadline: number },
    callback: (error: Error | null, response: CheckResponse) => void,
  ): void;
}

/** A client of the Authorization service, made from the same proto files as the server. */
export function grpcChecker(
  port: number,
  channel = credentials.createInsecure(),
): {
  check(headers: HeaderLines, target?: string, method?: string): Promise<CheckAnswer>;
  /** The answer as it came, dynamic metadata included. */
  ask(headers: HeaderLines, target?: string, method?: string): Promise<CheckResponse>;
  close(): void;
} {
  const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
    includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
    keepCase: true,
    enums: Number,
    defaults: true,
  });
  const loaded = loadPackageDefinition(definition) as unknown as {
    envoy: {
      service: {
        auth: {
          v3: {
            Authorization: new (address: string, c: typeof channel) => AuthorizationClient;
          };
        };
      };
    };
  };
  const client = new loaded.envoy.service.auth.v3.Authorization(
    `127.0.0.1:${String(port)}`,
    channel,
  );
  const ask = (headers: HeaderLines, path = '/api/me', method = 'GET'): Promise<CheckResponse> => {
    // Envoy joins repeated headers with a comma.
    const joined: Record<string, string> = {};
    for (const [name, value] of headers) {
      const key = name.toLowerCase();
      joined[key] = joined[key] === undefined ? value : `${joined[key]},${value}`;
    }
    // As Envoy says it: a client's Host is the authority, and stands in both places.
    const { host = 'edge', ...others } = joined;
    const http = { method, path, host, headers: { ...others, ':authority': host } };
    const message = { attributes: { request: { http } } };
    return new Promise((resolve, reject) => {
      client.Check(message, { deadline: Date.now() + patience }, (error, response) => {
        if (error) reject(error);
        else resolve(response);
      });
    });
  };
  return {
    close: () => client.close(),
    ask,
    check: async (...asked) => answerOf(await ask(...asked)),
  };
}

export function answerOf(response: CheckResponse): CheckAnswer {
  const denied = response.denied_response;
  const headers = (denied ?? response.ok_response)?.headers ?? [];
  return {
    status: denied?.status.code ?? ((response.status.code ?? 0) === 0 ? 200 : 500),
    headers: Object.fromEntries(headers.map(({ header }) => [header.key, header.value])),
    remove: response.ok_response?.headers_to_remove ?? [],
    body: denied?.body ?? '',
  };
}
