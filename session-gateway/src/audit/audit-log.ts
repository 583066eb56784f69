import { hashParts, type Clock, type SessionHandle } from '@sallyport/shared';
import { correlationFields, type Correlation } from '../correlation.js';
import { auditVersion, type AuditEvent } from './audit-event.js';

export interface AuditLog {
  write(event: AuditEvent, correlation?: Correlation): void;
}

/** @param sink takes one line, without its end */
export function auditLog(sink: (line: string) => void, clock: Clock): AuditLog {
  return {
    write: (event, correlation) => {
      const time = new Date(clock()).toISOString();
      const ids = correlationFields(correlation);
      sink(JSON.stringify({ version: auditVersion, time, ...ids, ...event }));
    },
  };
}

const purpose = 'sallyport audit v1';

/**
 * A session as the audit log names it: the same for its whole life and on every replica. A hash also
 * of the handle, since in the raw key form that is the session id itself.
 */
export function auditRef(handle: SessionHandle): string {
  return hashParts(purpose, handle).slice(0, 22);
}
