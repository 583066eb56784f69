import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { identityHeaders, type Session } from '@sallyport/shared';
import protobuf from 'protobufjs';
import {
  credentialChanges,
  denialOf,
  extraHeaders,
  type AnswerSettings,
} from '../../extauthz/src/answer.js';
import type { Decision } from '../../extauthz/src/decision.js';
import {
  noHeaders,
  requestFacts,
  takeHeader,
  type RequestFacts,
} from '../../extauthz/src/request-facts.js';
import type { CheckRequest, CheckResponse, HeaderValueOption } from './grpc-messages.js';

/** The slow, plain way: proto-loader over proto/, one object per message. The codec must equal it. */
const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
  includeDirs: [join(import.meta.dirname, '../../proto')],
  keepCase: true,
  enums: Number,
});
export const checkMethod = (
  definition['envoy.service.auth.v3.Authorization'] as unknown as {
    Check: MethodDefinition<CheckRequest, CheckResponse>;
  }
).Check;

export function referenceFacts(message: CheckRequest, cookieName: string): RequestFacts | string {
  const http = message.attributes?.request?.http;
  if (http === undefined || http === null) return 'no HTTP request';
  const headers = noHeaders();
  for (const [name, value] of Object.entries(http.headers ?? {})) {
    takeHeader(headers, lowerAscii(name), value);
  }
  return requestFacts(http.method ?? '', http.path ?? '', headers, cookieName);
}

/** Not toLowerCase: the Kelvin sign would become a k, and no header name has one. */
function lowerAscii(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

const rpcCodes = { 302: 16, 400: 3, 401: 16, 403: 7, 503: 14 };

export function referenceResponse(
  decision: Decision,
  facts: RequestFacts,
  answers: AnswerSettings,
): CheckResponse {
  if (decision.outcome === 'deny') {
    const { status, headers, body } = denialOf(decision, facts, answers);
    return {
      status: { code: rpcCodes[status], message: decision.reason },
      denied_response: { status: { code: status }, headers: headers.map(option), body },
      dynamic_metadata: struct({
        reason: decision.reason,
        ...(decision.rule === undefined ? {} : { rule: decision.rule }),
        ...(decision.holder && holderFields(decision.holder)),
      }),
    };
  }
  const { cookie, remove } = credentialChanges(facts, answers.cookieName);
  const set = [
    ...identityHeaders.map((name, at) => [name, decision.identity.values[at] ?? ''] as const),
    ...extraHeaders(decision, answers),
    ...(cookie === undefined ? [] : [['cookie', cookie] as const]),
  ];
  return {
    status: {},
    ok_response: { headers: set.map(option), headers_to_remove: remove },
    dynamic_metadata: struct({ ...holderFields(decision.session), rule: decision.rule }),
  };
}

const holderFields = (session: Session | undefined): Record<string, string> => ({
  user_id: session?.userId ?? '',
  kind: session?.kind ?? '',
});

function struct(
  texts: Readonly<Record<string, string>>,
): NonNullable<CheckResponse['dynamic_metadata']> {
  const fields = Object.entries(texts).map(([key, value]) => [key, { stringValue: value }]);
  return { fields: Object.fromEntries(fields) as Record<string, { stringValue: string }> };
}

function option([key, value]: readonly [string, string]): HeaderValueOption {
  return { header: { key, value }, append_action: 2, keep_empty_value: true };
}

/**
 * Repeated singular messages are merged by the encoding guide; protobufjs keeps the last. Here
 * they are declared repeated, so that the merge is spelled out.
 */
const repeated = protobuf
  .parse(
    `syntax = "proto3";
  message CheckRequest { repeated AttributeContext attributes = 1; }
  message AttributeContext { repeated Request request = 4; }
  message Request { repeated HttpRequest http = 2; }
  message HttpRequest {
    string id = 1; optional string method = 2; map<string, string> headers = 3;
    optional string path = 4; string host = 5; string scheme = 6;
  }`,
  )
  .root.lookupType('CheckRequest');

/** The reference's reading of any bytes; throws where it cannot read them. */
export function mergedReference(bytes: Buffer): CheckRequest {
  type Http = NonNullable<NonNullable<NonNullable<CheckRequest['attributes']>['request']>['http']>;
  const { attributes = [] } = repeated.toObject(repeated.decode(bytes)) as {
    attributes?: { request?: { http?: Http[] }[] }[];
  };
  const parts = attributes.flatMap(({ request = [] }) => request.flatMap(({ http = [] }) => http));
  if (parts.length === 0) return {};
  const merged = parts.reduce((all, part) => ({
    ...all,
    ...part,
    headers: { ...all.headers, ...part.headers },
  }));
  return { attributes: { request: { http: merged } } };
}

const require = createRequire(import.meta.url);

/** Envoy's official definitions, all fields. */
export function officialRoot(): protobuf.Root {
  const folder = dirname(dirname(dirname(require.resolve('@grpc/grpc-js-xds'))));
  const folders = ['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'];
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    target.startsWith('google/protobuf/')
      ? target
      : (folders.map((name) => join(folder, 'deps', name, target)).find(existsSync) ?? target);
  root.loadSync('envoy/service/auth/v3/external_auth.proto', { keepCase: true });
  root.resolveAll();
  return root;
}
