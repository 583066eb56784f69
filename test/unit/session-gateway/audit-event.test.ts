import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import { z } from 'zod';
import { auditEvent } from '../../../session-gateway/src/audit/audit-event.js';
import { auditLog, auditRef } from '../../../session-gateway/src/audit/audit-log.js';
import { newCorrelation } from '../../../session-gateway/src/correlation.js';

describe('an audit event', () => {
  it('has the form that docs/audit-event.schema.json publishes', () => {
    const file = join(import.meta.dirname, '../../../docs/audit-event.schema.json');
    const published = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    expect(published).toEqual(JSON.parse(JSON.stringify(z.toJSONSchema(auditEvent))));
  });

  it('says when it was and which request caused it', () => {
    const lines: string[] = [];
    const log = auditLog(
      (line) => lines.push(line),
      () => 1_800_000_000_000,
    );
    const correlation = newCorrelation();
    const failure = { event: 'exchange', outcome: 'failure', reason: 'bad_token' } as const;
    log.write(failure, correlation);
    log.write(failure);
    const { requestId, traceId } = correlation;
    const common = { version: 1, time: '2027-01-15T08:00:00.000Z' };

    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { ...common, requestId, traceId, ...failure },
      { ...common, ...failure },
    ]);
    for (const line of lines) expect(auditEvent.safeParse(JSON.parse(line)).success).toBe(true);
  });

  it('names a session the same for ever, and by nothing that opens it', () => {
    const id = newSessionId();
    for (const handle of [sessionHandle(id, 'hashed'), sessionHandle(id, 'raw')]) {
      expect(auditRef(handle)).toBe(auditRef(handle));
      expect(auditRef(handle)).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect(handle).not.toContain(auditRef(handle));
    }
  });
});
