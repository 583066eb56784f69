import { denialOf, upstreamChanges, type AnswerSettings } from '../answer.js';
import type { Decision } from '../decision.js';
import type { RequestFacts } from '../request-facts.js';
import type { CheckResponse, HeaderValueOption } from './messages.js';

/** google.rpc.Code */
const ok = 0;
const invalidArgument = 3;
const permissionDenied = 7;
const unavailable = 14;
const unauthenticated = 16;

const rpcCodes = {
  302: unauthenticated,
  400: invalidArgument,
  401: unauthenticated,
  403: permissionDenied,
  503: unavailable,
};

/** HeaderValueOption.HeaderAppendAction */
const overwriteIfExistsOrAdd = 2;

/**
 * The decision as Envoy's answer. A denial carries its own status, so a 503 reaches the client as
 * one (an error of the call itself would become `status_on_error`).
 */
export function checkResponseOf(
  decision: Decision,
  facts: RequestFacts,
  settings: AnswerSettings,
): CheckResponse {
  if (decision.outcome === 'deny') {
    const { status, headers, body } = denialOf(decision, facts, settings);
    return {
      status: { code: rpcCodes[status], message: decision.reason },
      denied_response: { status: { code: status }, headers: headers.map(option), body },
    };
  }
  const { set, remove } = upstreamChanges(decision, facts, settings);
  return {
    status: { code: ok },
    ok_response: { headers: set.map(option), headers_to_remove: remove },
  };
}

function option([key, value]: readonly [string, string]): HeaderValueOption {
  return { header: { key, value }, append_action: overwriteIfExistsOrAdd, keep_empty_value: true };
}
