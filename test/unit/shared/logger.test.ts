import { describe, expect, it } from '@jest/globals';
import { createLogger, linesOfOneTurn } from '../../../shared/src/runtime/logger.js';

const canary = 'canary-of-a-secret';

/** The line that these fields become. */
function lineOf(fields: object): Record<string, unknown> {
  let text = '';
  const sink = { write: (line: string) => void (text += line) };
  createLogger({ name: 'test', level: 'info' }, sink).info(fields, 'message');
  return JSON.parse(text) as Record<string, unknown>;
}

describe('a line', () => {
  it.each([
    ['at the top', { refresh_token: canary }],
    ['in any spelling', { Authorization: canary, 'Set-Cookie': [canary] }],
    ['one level down', { answer: { code: canary, state: canary } }],
    ['two levels down', { request: { headers: { cookie: canary } } }],
    ['in a list', { requests: [{ token: canary }] }],
    ['as a whole', { token: { of: { it: canary } } }],
    ['of an error', { err: Object.assign(new Error('message'), { client_secret: canary }) }],
    ['of an error of another name', { cause: Object.assign(new Error(), { password: canary }) }],
  ])('never has a secret by its name, %s', (_where, fields) => {
    const text = JSON.stringify(lineOf({ reason: 'kept', ...fields }));
    expect(text).not.toContain(canary);
    expect(text).toContain('[redacted]');
    expect(text).toContain('"reason":"kept"');
  });

  it('of an error says what, where and why, whatever else it has', () => {
    const error = Object.assign(new Error('listen EADDRINUSE', { cause: new Error('why') }), {
      code: 'EADDRINUSE',
      port: 8080,
      token: canary,
    });
    const { err } = lineOf({ err: error });
    expect(err).toMatchObject({ type: 'Error', port: 8080, token: '[redacted]' });
    const { message, stack } = err as { message: string; stack: string };
    expect(message).toContain('listen EADDRINUSE');
    expect(stack).toContain('logger.test');
    expect(JSON.stringify(err)).not.toContain(canary);
  });

  it('has everything else as it was given, and changes nothing of it', () => {
    const fields = { idp: 'idp', ms: 7, nested: { list: [1, { a: null }], tokens: 3 }, no: false };
    const before = structuredClone(fields);
    expect(lineOf(fields)).toMatchObject({
      name: 'test',
      level: 'info',
      msg: 'message',
      ...before,
    });
    expect(fields).toEqual(before);
    const secret = { token: canary };
    lineOf({ secret });
    expect(secret.token).toBe(canary);
  });

  it('of a child logger has no secret of its bindings either', () => {
    let text = '';
    const sink = { write: (line: string) => void (text += line) };
    createLogger({ name: 'test', level: 'info' }, sink).child({ token: canary }).info('message');
    expect(text).toContain('[redacted]');
    expect(text).not.toContain(canary);
  });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the lines of one turn', () => {
  it('leave in one write, in order, when the turn is over', async () => {
    const writes: string[] = [];
    const logger = createLogger(
      { name: 'test', level: 'info' },
      linesOfOneTurn({ write: (text) => void writes.push(text) }),
    );

    logger.info('one');
    logger.info('two');
    expect(writes).toEqual([]);
    await turn();
    logger.info('three');
    await turn();

    expect(writes).toHaveLength(2);
    const words = writes.map((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    );
    expect(words).toEqual([['one', 'two'], ['three']]);
  });
});
