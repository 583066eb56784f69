import { describe, expect, it } from '@jest/globals';
import { parseCommandLine } from '../../../session-gateway/src/cli/command-line.js';
import { columns, humanTime } from '../../../session-gateway/src/cli/terminal.js';

const ref = 'abcdefghijklmnopqrstuv';

describe('the command line', () => {
  it.each([
    [[], { command: 'serve' }],
    [['--check-config'], { command: 'check-config' }],
    [['rekey'], { command: 'rekey' }],
    [['doctor', '--json'], { command: 'doctor', json: true }],
    [['--help'], { command: 'help' }],
    [['session', 'revoke', '-h'], { command: 'help' }],
  ])('%j', (args, expected) => {
    expect(parseCommandLine(args)).toEqual(expected);
  });

  it.each([
    [['list', '--user', 'user-7'], { verb: 'list', userId: 'user-7', json: false }],
    [['list', '--json', '--user=--x'], { verb: 'list', userId: '--x', json: true }],
    [['show', ref], { verb: 'show', ref, json: false }],
    [['revoke', ref], { verb: 'revoke', whose: { ref } }],
    [['revoke', '--user', 'user-7'], { verb: 'revoke', whose: { userId: 'user-7' } }],
    [['flush'], { verb: 'flush', yes: false }],
    [['flush', '--yes'], { verb: 'flush', yes: true }],
    [
      ['seed', '--user', 'u', '--roles', 'A,B', '--permissions', 'c:d', '--ttl', '60'],
      { verb: 'seed', userId: 'u', roles: ['A', 'B'], permissions: ['c:d'], ttlSeconds: 60 },
    ],
    [['seed', '--user', 'u'], { verb: 'seed', userId: 'u', roles: [], permissions: [] }],
  ])('session %j', (args, session) => {
    const expected = { command: 'session', session };
    expect(parseCommandLine(['session', ...args])).toEqual(expected);
    expect(parseCommandLine(['sessions', ...args])).toEqual(expected);
  });

  it('takes a reference that begins with a hyphen for no option', () => {
    for (const name of [`-${ref.slice(1)}`, `--${ref.slice(2)}`, `-${'x'.repeat(42)}`]) {
      const expected = { verb: 'show', ref: name, json: true };
      expect(parseCommandLine(['session', 'show', name, '--json'])).toEqual({
        command: 'session',
        session: expected,
      });
    }
  });

  it.each([
    [['rekye'], 'There is no such command'],
    [['constructor'], 'There is no such command'],
    [['session'], 'There are these: session list, '],
    [['session', 'lsit', '--user', 'a'], 'There are these: session list, '],
    [['rekey', 'now'], 'one word too many'],
    [['session', 'list', ref], 'one word too many'],
    [['session', 'show', ref, ref], 'one word too many'],
    [['--josn'], "Unknown option '--josn'"],
    [['--json'], '--json is no option of the gateway'],
    [['doctor', '--yes'], '--yes is no option of doctor'],
    [['session', 'show', ref, '--user', 'a'], '--user is no option of session show'],
    [['session', 'list'], 'Say whose sessions: --user ID'],
    [['session', 'revoke'], 'Say whose sessions: --user ID'],
    [['session', 'list', '--user'], "Option '--user <value>' argument missing"],
    [['session', 'list', '--user', 'a b'], 'visible ASCII'],
    [['session', 'show'], 'REF is what "session list" prints'],
    [['session', 'show', `${ref}x`], 'REF is what "session list" prints'],
    [['session', 'revoke', ref, '--user', 'a'], 'not both'],
    [['session', 'seed', '--user', 'a', '--roles', 'A B'], 'roles[0]'],
    [['session', 'seed', '--user', 'a', '--ttl', '1h'], '--ttl is a number of seconds'],
    [['session', 'seed', '--user', 'a', '--ttl', '0'], '--ttl is a number of seconds'],
  ])('%j is not understood', (args, sentence) => {
    const act = () => parseCommandLine(args);
    expect(act).toThrow(expect.objectContaining({ code: 'bad_usage' }));
    expect(act).toThrow(sentence);
  });

  it('repeats no word that may be a cookie somebody pasted', () => {
    const secret = 's'.repeat(43);
    for (const args of [['doctor'], ['session', 'list'], ['session', 'show', ref], []]) {
      expect(() => parseCommandLine([...args, secret])).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(secret) }),
      );
    }
  });
});

describe('at the terminal', () => {
  it('a time is said twice: when, and how far from now', () => {
    const now = Date.UTC(2026, 10, 21, 14, 0, 0);
    const at = (seconds: number) => humanTime(now / 1000 + seconds, now);

    expect(at(-5)).toBe('2026-11-21 13:59:55 (5 s ago)');
    expect(at(30 * 60)).toBe('2026-11-21 14:30:00 (in 30 min)');
    expect(at(12 * 3600)).toBe('2026-11-22 02:00:00 (in 12 h)');
    expect(at(-72 * 3600)).toBe('2026-11-18 14:00:00 (3 days ago)');
  });

  it('cells stand under each other', () => {
    expect(
      columns([
        ['REF', 'KIND'],
        ['abcde', 'browser'],
        ['f', ''],
      ]),
    ).toBe('REF    KIND\nabcde  browser\nf');
  });
});
