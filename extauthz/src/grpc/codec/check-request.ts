import {
  noHeaders,
  requestFacts,
  takeHeader,
  type DecisiveHeader,
  type InboundHeaders,
  type RequestFacts,
} from '../../request-facts.js';
import { foreignSpelling, nameOfInterest } from './header-names.js';
import { lengthDelimited, Wire } from './wire.js';

/** Why a message is no check; the call is then answered INVALID_ARGUMENT. */
export type CheckRefusal = 'not a CheckRequest' | 'no HTTP request';

interface HttpParts {
  present: boolean;
  method: string;
  path: string;
  readonly headers: InboundHeaders;
}

/** CheckRequest.attributes, AttributeContext.request, Request.http */
const way = [1, 4, 2] as const;

/** AttributeContext.HttpRequest */
const field = { method: 2, headers: 3, path: 4, lastKnown: 6 } as const;

/**
 * The facts of an encoded `envoy.service.auth.v3.CheckRequest`, read in one pass and without an
 * object for what no decision needs. Equal to proto-loader's reading of `proto/` or a refusal
 * (test/unit/extauthz/grpc-codec*): unknown fields are skipped, the last of a repeated singular
 * field counts, repeated messages are merged as the encoding guide says.
 */
export function decodeCheckRequest(bytes: Buffer, cookieName: string): RequestFacts | CheckRefusal {
  const http: HttpParts = { present: false, method: '', path: '', headers: noHeaders() };
  if (!descend(new Wire(bytes), bytes.length, 0, http)) return 'not a CheckRequest';
  if (!http.present) return 'no HTTP request';
  return requestFacts(http.method, http.path, http.headers, cookieName);
}

function descend(wire: Wire, end: number, level: number, http: HttpParts): boolean {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === -1) return false;
    if (tag >>> 3 !== way[level]) {
      if (!wire.skip(tag & 7, end)) return false;
      continue;
    }
    if ((tag & 7) !== lengthDelimited) return false;
    const stop = wire.chunkEnd(end);
    if (stop === -1) return false;
    const good =
      level === way.length - 1 ? readHttp(wire, stop, http) : descend(wire, stop, level + 1, http);
    if (!good) return false;
  }
  return true;
}

function readHttp(wire: Wire, end: number, http: HttpParts): boolean {
  http.present = true;
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === -1) return false;
    const number = tag >>> 3;
    if (number > field.lastKnown) {
      if (!wire.skip(tag & 7, end)) return false;
      continue;
    }
    // All that we know is length-delimited; another type here is somebody else's message.
    if ((tag & 7) !== lengthDelimited) return false;
    const stop = wire.chunkEnd(end);
    if (stop === -1) return false;
    if (number === field.headers) {
      if (!readHeader(wire, stop, http.headers)) return false;
    } else if (number === field.method || number === field.path) {
      const text = wire.text(wire.at, stop);
      if (text === undefined) return false;
      if (number === field.method) http.method = text;
      else http.path = text;
    }
    wire.at = stop;
  }
  return true;
}

/** One entry of the headers map: key 1, value 2, in any order, either may be left out. */
function readHeader(wire: Wire, end: number, headers: InboundHeaders): boolean {
  let keyStart = 0;
  let keyEnd = 0;
  let valueStart = 0;
  let valueEnd = 0;
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === -1) return false;
    const number = tag >>> 3;
    if (number > 2) {
      if (!wire.skip(tag & 7, end)) return false;
      continue;
    }
    if ((tag & 7) !== lengthDelimited) return false;
    const stop = wire.chunkEnd(end);
    if (stop === -1) return false;
    if (number === 1) {
      keyStart = wire.at;
      keyEnd = stop;
    } else {
      valueStart = wire.at;
      valueEnd = stop;
    }
    wire.at = stop;
  }
  const name = nameOfInterest(wire.bytes, keyStart, keyEnd);
  if (name === undefined) return true;
  if (name === foreignSpelling) return false;
  const value = wire.text(valueStart, valueEnd);
  if (value === undefined) return false;
  // A map holds a key once, and the last entry is it; `takeHeader` would join the two.
  if (isTaken(headers, name)) headers[name] = undefined;
  takeHeader(headers, name, value);
  return true;
}

function isTaken(headers: InboundHeaders, name: string): name is DecisiveHeader {
  return headers[name as DecisiveHeader] !== undefined;
}
