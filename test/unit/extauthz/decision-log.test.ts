import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { createLogger } from '@sallyport/shared/runtime';
import { allowNobody, deny } from '../../../extauthz/src/decision.js';
import { decisionLog } from '../../../extauthz/src/decision-log.js';
import { cookieName, someFacts } from '../../support/facts.js';

type Line = Record<string, unknown>;
const allow = allowNobody('public', 'open');

describe('decisionLog', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const started = (logAllows = 0) => {
    let text = '';
    const sink = { write: (line: string) => (text += line) };
    const logger = createLogger({ name: 'test', level: 'debug' }, sink);
    const log = decisionLog({ logger, logAllows, monotonic: () => performance.now() });
    const lines = () =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line);
    return { log, lines, text: () => text };
  };

  it('writes a denial with its reason, rule, status and way', () => {
    const { log, lines } = started();
    log('grpc', someFacts({ method: 'PUT', target: '/api/x?q=1' }), deny('missing_role', 'admin'));
    expect(lines()).toMatchObject([
      { reason: 'missing_role', rule: 'admin', status: 403, method: 'PUT', path: '/api/x' },
    ]);
    expect(lines()).toMatchObject([{ transport: 'grpc', msg: 'denied' }]);
  });

  it('writes so many of a reason a second, each reason for itself, and then how many it left out', () => {
    const { log, lines } = started();
    const flood = (): void => {
      for (let count = 0; count < 100; count += 1) log('http', someFacts(), deny('no_credential'));
    };
    flood();
    log('http', someFacts(), deny('csrf'));
    expect(lines().filter(({ reason }) => reason === 'no_credential')).toHaveLength(20);
    expect(lines().filter(({ reason }) => reason === 'csrf')).toHaveLength(1);
    jest.advanceTimersByTime(1_000);
    const summaries = () => lines().filter(({ suppressed }) => suppressed !== undefined);
    expect(summaries()).toMatchObject([{ reason: 'no_credential', suppressed: 80 }]);

    flood();
    expect(lines().filter(({ msg }) => msg === 'denied')).toHaveLength(41);
    // The next one reports what its second left out, also where the timer has not come to it.
    jest.advanceTimersByTime(5_000);
    expect(summaries()).toHaveLength(2);
  });

  it.each([
    [0, 0],
    [1, 10],
    [5, 2],
  ])('of ten allows, with one in %i to be written, writes %i', (logAllows, written) => {
    const { log, lines } = started(logAllows);
    for (let count = 0; count < 10; count += 1) log('http', someFacts(), allow);
    expect(lines()).toHaveLength(written);
    for (const line of lines()) expect(line).toMatchObject({ msg: 'allowed', rule: 'open' });
  });

  it('names the trace and the request', () => {
    const { log, lines } = started();
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01`, 'x-request-id': 'r-1' };
    log('http', someFacts({ headers }), deny('no_rule'));
    log('http', someFacts({ headers: { traceparent: `00-${trace}` } }), deny('no_rule'));
    const [named, unnamed] = lines();
    expect(named).toMatchObject({ traceId: trace, requestId: 'r-1' });
    expect(unnamed).not.toHaveProperty('traceId');
  });

  it('writes nothing, also at debug, that could log anyone in or tell what they asked for', () => {
    const { log, text } = started(1);
    const [own, bearer] = [newSessionId(), newSessionId()];
    const facts = someFacts({
      target: '/api/x?code=a-secret',
      cookie: `${cookieName}=${own}; other=private`,
      authorization: `Bearer ${bearer}`,
    });
    log('http', facts, allow);
    log('grpc', facts, deny('ambiguous_credential'));
    expect(text()).toContain('/api/x');
    for (const secret of [own, bearer, 'a-secret', 'private']) expect(text()).not.toContain(secret);
  });

  it('keeps a line short, whatever was sent', () => {
    const { log, text } = started();
    const long = 'x'.repeat(100_000);
    log('http', someFacts({ method: long, target: `/${long}` }), deny('bad_method'));
    expect(text().length).toBeLessThan(1_000);
  });
});
