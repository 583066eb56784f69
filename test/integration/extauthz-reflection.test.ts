import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { credentials, loadPackageDefinition, type Client } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';

/** The part of grpc.reflection.v1 that lists services. */
const reflection = fromJSON({
  nested: {
    grpc: {
      nested: {
        reflection: {
          nested: {
            v1: {
              nested: {
                ServerReflection: {
                  methods: {
                    ServerReflectionInfo: {
                      requestType: 'Request',
                      requestStream: true,
                      responseType: 'Response',
                      responseStream: true,
                      comment: '',
                    },
                  },
                },
                Request: { fields: { listServices: { type: 'string', id: 7 } } },
                Response: { fields: { listServicesResponse: { type: 'List', id: 6 } } },
                List: { fields: { service: { rule: 'repeated', type: 'Service', id: 1 } } },
                Service: { fields: { name: { type: 'string', id: 1 } } },
              },
            },
          },
        },
      },
    },
  },
});

interface ReflectionClient extends Client {
  ServerReflectionInfo(): NodeJS.ReadWriteStream & { cancel(): void };
}

async function listServices(port: number): Promise<string[]> {
  const loaded = loadPackageDefinition(reflection) as unknown as {
    grpc: {
      reflection: {
        v1: {
          ServerReflection: new (
            address: string,
            c: ReturnType<typeof credentials.createInsecure>,
          ) => ReflectionClient;
        };
      };
    };
  };
  const client = new loaded.grpc.reflection.v1.ServerReflection(
    `127.0.0.1:${String(port)}`,
    credentials.createInsecure(),
  );
  const stream = client.ServerReflectionInfo();
  try {
    return await new Promise((resolve, reject) => {
      stream.once('error', reject);
      stream.once('data', (answer: { listServicesResponse: { service: { name: string }[] } }) =>
        resolve(answer.listServicesResponse.service.map(({ name }) => name)),
      );
      stream.write({ listServices: '*' } as never);
    });
  } finally {
    stream.on('error', () => undefined);
    stream.cancel();
    client.close();
  }
}

describe('gRPC server reflection', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-reflection-'));
  let services: readonly ExtauthzProcess[] = [];
  beforeAll(async () => {
    services = await Promise.all(
      ['true', 'false'].map((setting) => {
        const env = { REDIS_PORT: '1', EXTAUTHZ_GRPC_REFLECTION: setting };
        return startExtauthz({ directory, env, ready: false });
      }),
    );
  });
  afterAll(async () => {
    await Promise.all(services.map(({ child }) => child.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  it.each([
    ['on', 0],
    ['off', 1],
  ])('is %s as EXTAUTHZ_GRPC_REFLECTION says', async (state, at) => {
    const listed = listServices(services[at]?.grpcPort ?? 0);
    if (state === 'on') {
      expect(await listed).toContain('envoy.service.auth.v3.Authorization');
    } else {
      await expect(listed).rejects.toMatchObject({ code: 12 });
    }
  });
});
