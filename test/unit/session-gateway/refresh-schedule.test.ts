import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import {
  permissionsDueAt,
  tokensDueAt,
} from '../../../session-gateway/src/sessions/refresh-schedule.js';

const timing = { leewaySeconds: 300, permFreshSeconds: 900 };
const handles = Array.from({ length: 200 }, () => sessionHandle(newSessionId(), 'hashed'));
const session = { createdAt: 1000, permFreshUntil: 1900, tokenVersion: 1 };

describe('what a session needs is due', () => {
  it('five to six minutes before the tokens expire, not for all sessions at once', () => {
    const times = handles.map((handle) =>
      tokensDueAt(handle, { ...session, tokenExpiresAt: 4600 }, timing),
    );
    expect(Math.min(...times)).toBeGreaterThanOrEqual(4600 - 360);
    expect(Math.max(...times)).toBeLessThanOrEqual(4600 - 300);
    expect(new Set(times).size).toBeGreaterThan(190);
  });

  it('at the same time whichever replica asks', () => {
    const [handle] = handles;
    if (handle === undefined) throw new Error('none');
    const due = () => tokensDueAt(handle, { ...session, tokenExpiresAt: 4600 }, timing);
    expect(due()).toBe(due());
  });

  it('at half the life of tokens that live shorter than the leeway', () => {
    for (const handle of handles) {
      const due = tokensDueAt(handle, { ...session, tokensAt: 2000, tokenExpiresAt: 2060 }, timing);
      expect(due).toBeGreaterThanOrEqual(2060 - 36);
      expect(due).toBeLessThanOrEqual(2060 - 30);
    }
  });

  it('never, for tokens without an end', () => {
    expect(handles.map((handle) => tokensDueAt(handle, session, timing))).toEqual(
      handles.map(() => Infinity),
    );
  });

  it('while the permissions are still good for five minutes', () => {
    for (const handle of handles) {
      const due = permissionsDueAt(handle, session, timing);
      expect(due).toBeGreaterThanOrEqual(1900 - 360);
      expect(due).toBeLessThanOrEqual(1900 - 300);
    }
  });
});
