import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId, type SessionId } from '@sallyport/shared';
import { checkHttp } from '../support/extauthz.js';
import { keyOf, startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { commandsDuring } from '../support/redis-monitor.js';

type Lines = Parameters<typeof checkHttp>[1];
type Expected = readonly [status: 400 | 401, reason: string];
interface Refused {
  readonly expected: Expected;
  /** @param id a live session that nobody has asked for yet: one read of it would show */
  readonly lines: (id: SessionId) => Lines;
}

const ambiguous: Expected = [400, 'ambiguous_credential'];
const malformed: Expected = [401, 'malformed_credential'];
const oversized: Expected = [400, 'oversized_credential'];

const cookie = (text: string): Lines[number] => ['Cookie', text];
const bearer = (text: string): Lines[number] => ['Authorization', text];
const own = (value: string): string => `__Host-session=${value}`;
const broken = (id: string): string[] => [
  'x',
  '',
  `${id}x`,
  id.slice(1),
  `${id.slice(1)}.`,
  `"${id}"`,
  `%41${id.slice(1)}`,
  '../../etc',
  '*',
];

const classes: Readonly<Record<'cookie' | 'bearer', Readonly<Record<string, readonly Refused[]>>>> =
  {
    cookie: {
      duplicates: [
        { expected: ambiguous, lines: (id) => [cookie(`${own(id)}; ${own(id)}`)] },
        { expected: ambiguous, lines: (id) => [cookie(own(id)), cookie(own(id))] },
        { expected: ambiguous, lines: (id) => [cookie(own(id)), cookie(own(newSessionId()))] },
        { expected: ambiguous, lines: (id) => [cookie(own('x')), cookie(own(id))] },
      ],
      'comma-joined': [
        { expected: ambiguous, lines: (id) => [cookie(`${own(id)},${own(id)}`)] },
        { expected: ambiguous, lines: (id) => [cookie(`a=1,${own('x')}; ${own(id)}`)] },
        { expected: [401, 'no_credential'], lines: (id) => [cookie(`a=1,${own(id)}`)] },
        { expected: malformed, lines: (id) => [cookie(`${own(id)},a=1`)] },
      ],
      'wrong grammar': broken('I'.repeat(43)).map((_, at) => ({
        expected: malformed,
        lines: (id) => [cookie(own(broken(id)[at] ?? ''))],
      })),
      oversize: [
        { expected: oversized, lines: (id) => [cookie(`a=${'b'.repeat(8193)}; ${own(id)}`)] },
        { expected: oversized, lines: (id) => [cookie(`${own(id)}; a=${'b'.repeat(8193)}`)] },
      ],
    },
    bearer: {
      duplicates: [
        { expected: ambiguous, lines: (id) => [bearer(`Bearer ${id}`), bearer(`Bearer ${id}`)] },
        { expected: ambiguous, lines: (id) => [bearer(`Bearer ${id}`), bearer('Basic x')] },
        {
          expected: ambiguous,
          lines: (id) => [cookie(own(newSessionId())), bearer(`Bearer ${id}`)],
        },
      ],
      'comma-joined': [
        { expected: ambiguous, lines: (id) => [bearer(`Bearer ${id},Bearer ${id}`)] },
        { expected: ambiguous, lines: (id) => [bearer(`Bearer ${id}, x`)] },
        { expected: ambiguous, lines: (id) => [bearer('Basic x'), bearer(`Bearer ${id}`)] },
        {
          expected: ambiguous,
          lines: (id) => [cookie(own(id)), bearer('Basic x'), bearer(`Bearer ${newSessionId()}`)],
        },
      ],
      'wrong grammar': broken('I'.repeat(43)).map((_, at) => ({
        expected: malformed,
        lines: (id) => [bearer(`Bearer ${broken(id)[at] ?? ''}`)],
      })),
      oversize: [
        { expected: oversized, lines: (id) => [bearer(`Bearer${' '.repeat(8193)}${id}`)] },
        { expected: oversized, lines: (id) => [bearer(`Bearer ${id}${'x'.repeat(8193)}`)] },
        {
          expected: oversized,
          lines: (id) => [cookie('a'.repeat(8193)), bearer(`Bearer ${id}`)],
        },
      ],
    },
  };

/** What extauthz asks of its own accord: its role, its links, the clock, whether it may read at all. */
const background = new Set(['role', 'ping', 'time', 'info', 'client', 'subscribe']);
const isCheck = ([name = '', key]: readonly string[]): boolean =>
  !background.has(name.toLowerCase()) && key !== 'extauthz:session:readiness';

describe('what is refused before any session is read', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig();
  });
  afterAll(() => rig.close());

  const transports = [
    ['http', (lines: Lines) => checkHttp(rig.service.httpPort, lines)],
    ['grpc', (lines: Lines) => rig.checker.check(lines)],
  ] as const;

  describe.each(transports)('over %s', (_transport, check) => {
    describe.each(['cookie', 'bearer'] as const)('a %s', (lane) => {
      it.each(Object.entries(classes[lane]))('%s: no Redis command', async (_class, cases) => {
        const kind = lane === 'cookie' ? 'browser' : 'native';
        const asked = await Promise.all(
          cases.map(async ({ expected, lines }) => {
            const [status, reason] = expected;
            return { lines: lines(await rig.write({ kind })), status, reason };
          }),
        );
        const commands = await commandsDuring(rig.admin, async () => {
          for (const { lines, status, reason } of asked) {
            const answer = await check(lines);
            const got = (JSON.parse(answer.body || '{}') as { reason?: string }).reason;
            expect({ lines, status: answer.status, reason: got }).toEqual({
              lines,
              status,
              reason,
            });
          }
        });
        expect(commands.filter(isCheck)).toEqual([]);
      });

      it('that could be a session: one read, which the recording shows', async () => {
        const id = newSessionId();
        const lines = [lane === 'cookie' ? cookie(own(id)) : bearer(`Bearer ${id}`)];
        const commands = await commandsDuring(rig.admin, () => check(lines));
        const words = commands.filter(isCheck).map(([name = '', key]) => [name.toLowerCase(), key]);
        expect(words).toEqual([
          ['hmget', keyOf(id)],
          ['pttl', keyOf(id)],
        ]);
      });
    });
  });
});
