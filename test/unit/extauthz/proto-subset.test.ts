import { dirname, join } from 'node:path';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import protobuf from 'protobufjs';

const require = createRequire(import.meta.url);
const ours = join(import.meta.dirname, '../../../proto');
const packageFolder = dirname(dirname(dirname(require.resolve('@grpc/grpc-js-xds'))));
const official = ['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'].map((folder) =>
  join(packageFolder, 'deps', folder),
);
const file = 'envoy/service/auth/v3/external_auth.proto';

function load(folders: readonly string[]): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    if (target.startsWith('google/protobuf/')) return protobuf.util.path.resolve('', target);
    for (const folder of folders) {
      const path = join(folder, target);
      if (existsSync(path)) return path;
    }
    return target;
  };
  root.loadSync(file, { keepCase: true });
  root.resolveAll();
  return root;
}

const mine = load([ours]);
const theirs = load(official);

function typesOf(namespace: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  return namespace.nestedArray.flatMap((item) => [
    ...(item instanceof protobuf.Type ||
    item instanceof protobuf.Enum ||
    item instanceof protobuf.Service
      ? [item]
      : []),
    ...(item instanceof protobuf.Namespace ? typesOf(item) : []),
  ]);
}

const all = typesOf(mine).filter((item) => !item.fullName.startsWith('.google.protobuf'));

describe('the proto subset against the official definitions', () => {
  it('covers what extauthz speaks', () => {
    expect(all.map((item) => item.fullName)).toEqual(
      expect.arrayContaining([
        '.envoy.service.auth.v3.Authorization',
        '.envoy.service.auth.v3.CheckRequest',
        '.envoy.service.auth.v3.CheckResponse',
        '.google.rpc.Status',
      ]),
    );
  });

  it.each(all.filter((item) => item instanceof protobuf.Type))(
    '$fullName has only official fields, by name, number, type and label',
    (type) => {
      const reference = theirs.lookupType(type.fullName);
      expect(type.fieldsArray.length).toBeGreaterThan(0);
      for (const field of type.fieldsArray) {
        const counterpart = reference.fields[field.name];
        expect(shape(field)).toEqual(counterpart === undefined ? 'missing' : shape(counterpart));
      }
    },
  );

  it.each(all.filter((item) => item instanceof protobuf.Enum))(
    '$fullName has only official values',
    (item) => {
      expect(theirs.lookupEnum(item.fullName).values).toMatchObject(item.values);
    },
  );

  it('has the official method, path and types', () => {
    const path = (root: protobuf.Root) => {
      const { Check } = root.lookupService('envoy.service.auth.v3.Authorization').methods;
      const resolved = Check?.resolve() as protobuf.Method | undefined;
      return [
        Check?.fullName,
        resolved?.resolvedRequestType?.fullName,
        resolved?.resolvedResponseType?.fullName,
      ];
    };
    expect(path(mine)).toEqual(path(theirs));
    const definition = loadSync(file, { includeDirs: [ours], keepCase: true });
    expect(definition['envoy.service.auth.v3.Authorization']).toMatchObject({
      Check: { path: '/envoy.service.auth.v3.Authorization/Check' },
    });
  });

  it('reads what the official definitions write, and the reverse', () => {
    const text = fc.string({ maxLength: 40 });
    const request = fc.record({
      attributes: fc.record({
        source: fc.record({ principal: text }),
        request: fc.record({
          http: fc.record({
            id: text,
            method: text,
            path: text,
            host: text,
            scheme: text,
            query: text,
            protocol: text,
            headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 12 }), text),
          }),
        }),
        context_extensions: fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), text),
      }),
    });
    const name = 'envoy.service.auth.v3.CheckRequest';
    fc.assert(
      fc.property(request, (message) => {
        const bytes = theirs
          .lookupType(name)
          .encode(theirs.lookupType(name).fromObject(message))
          .finish();
        const { http } = message.attributes.request;
        const decoded = mine.lookupType(name).toObject(mine.lookupType(name).decode(bytes), {
          defaults: true,
          objects: true,
        }) as { attributes: { request: { http: typeof http } } };
        const read = decoded.attributes.request.http;
        expect([read.id, read.method, read.path, read.host, read.scheme]).toEqual([
          http.id,
          http.method,
          http.path,
          http.host,
          http.scheme,
        ]);
        expect(Object.entries(read.headers)).toEqual(Object.entries(http.headers));
      }),
      { numRuns: 500 },
    );
    const response = 'envoy.service.auth.v3.CheckResponse';
    const answer = {
      status: { code: 16, message: 'no_credential' },
      denied_response: {
        status: { code: 401 },
        headers: [{ header: { key: 'a', value: '' }, append_action: 2, keep_empty_value: true }],
        body: '{}',
      },
    };
    const bytes = mine
      .lookupType(response)
      .encode(mine.lookupType(response).fromObject(answer))
      .finish();
    expect(theirs.lookupType(response).toObject(theirs.lookupType(response).decode(bytes))).toEqual(
      answer,
    );
  });
});

function shape(field: protobuf.Field): object {
  field.resolve();
  return {
    id: field.id,
    type: field.resolvedType?.fullName ?? field.type,
    repeated: field.repeated,
    key: field instanceof protobuf.MapField ? field.keyType : undefined,
    oneof: field.partOf?.name.startsWith('_') === false ? field.partOf.name : undefined,
  };
}
