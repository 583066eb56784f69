import { IncomingMessage } from 'node:http';
import type { InboundHeaders } from '../request-facts.js';
import { readHeaders, type ProtocolHeaders } from './inbound-headers.js';

/**
 * A check as node:http hands it out. A decision reads a few headers and never a body, and both of
 * what node:http does for everybody else cost more than the decision: an object of all headers, and
 * a stream that is opened, drained and closed, for a body that is nearly always empty.
 */
export class CheckRequest extends IncomingMessage {
  #decisive: InboundHeaders | undefined;
  #protocol: ProtocolHeaders | undefined;

  /** The headers that a decision reads. */
  get decisive(): InboundHeaders {
    if (this.#decisive === undefined) this.#read();
    return this.#decisive as InboundHeaders;
  }

  /** The headers that node:http itself asks for; it finds them under `headers`. */
  get protocol(): ProtocolHeaders {
    if (this.#protocol === undefined) this.#read();
    return this.#protocol as ProtocolHeaders;
  }

  /** What comes of a body is dropped where it arrives: never kept, never a reason to stop reading. */
  override push(): boolean {
    return true;
  }

  /** There is nothing to flow. */
  override resume(): this {
    return this;
  }

  #read(): void {
    [this.#decisive, this.#protocol] = readHeaders(this.rawHeaders);
  }
}

// By descriptor: the types have both as plain properties, and a field per request would cost again.
Object.defineProperties(CheckRequest.prototype, {
  headers: {
    get(this: CheckRequest) {
      return this.protocol;
    },
  },
  // Lets the parser forget the request with its answer: an 'end' never comes. Not before the message
  // is whole: trailers that find no request are kept, and would be headers of the next one.
  readableEnded: {
    get(this: CheckRequest) {
      return this.complete;
    },
  },
});
