import { describe, expect, it } from '@jest/globals';
import { createLogger, textLines } from '../../../shared/src/runtime/index.js';

function logged(...args: [object, string]): string {
  let out = '';
  const sink = textLines({ write: (text) => void (out += text) });
  createLogger({ name: 'service', level: 'info' }, sink).info(...args);
  return out;
}

describe('LOG_FORMAT=text', () => {
  it('is one line: time, level, name, message, fields', () => {
    const line = logged({ idp: 'idp', ms: 7, nested: { a: 'b c' }, empty: '' }, 'login completed');
    expect(line).toMatch(
      /^[0-9-]{10}T[0-9:.]+Z INFO {2}service login completed idp=idp ms=7 nested=\{"a":"b c"\} empty=""\n$/,
    );
  });

  it('redacts what the JSON form redacts', () => {
    expect(logged({ token: 'canary' }, 'x')).toContain('token=[redacted]');
  });

  it('hands a terminal nothing to obey, and stays one line', () => {
    const evil = 'a\nFAKE line\u001b[2J\u009b31m\u202e\u2028 b="c"';
    for (const line of [
      logged({ path: evil }, 'x'),
      logged({ [evil]: 1 }, 'x'),
      logged({}, evil),
    ]) {
      expect(line.split('\n')).toHaveLength(2);
      // eslint-disable-next-line no-control-regex -- they are what it is about
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    }
  });
});
