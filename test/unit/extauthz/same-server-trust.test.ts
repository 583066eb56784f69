import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import type { InvalidationLink } from '../../../extauthz/src/cache/invalidation-link.js';
import { proveByWriting } from '../../../extauthz/src/cache/prove-by-writing.js';
import { sameServerTrust } from '../../../extauthz/src/cache/same-server-trust.js';

const handle = sessionHandle(newSessionId(), 'hashed');
const [one, other] = ['1'.repeat(40), '2'.repeat(40)];

class Server extends EventEmitter {
  status = 'wait';
  runId = one;
  refusal: string | undefined;
  givenUp = 0;
  info = () => Promise.resolve(`# Server\r\nrun_id:${this.runId}\r\ntcp_port:1\r\n`);
  xadd = () =>
    this.refusal === undefined ? Promise.resolve(null) : Promise.reject(new Error(this.refusal));
  disconnect = () => (this.givenUp += 1);
}

describe('sameServerTrust', () => {
  let server: Server;
  let linkedTo: string;
  let linkedAt: number;
  let keptOnly: string[];
  let time: number;
  let errors: string[];
  let made: ReturnType<typeof sameServerTrust>;
  const isTrusted = (): boolean => made.trust.isTrusted(time, handle);
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const prove = async (): Promise<void> => {
    server.emit('ready');
    await settle();
  };

  beforeEach(async () => {
    [server, linkedTo, keptOnly, time, errors] = [new Server(), one, [], 0, []];
    linkedAt = 0;
    const link: InvalidationLink = {
      name: 'link',
      isTrusted: () => true,
      generation: () => 1,
      server: () => linkedTo,
      armedAt: () => linkedAt,
      keepOnlyIf: (runId) => keptOnly.push(runId),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    };
    made = sameServerTrust({
      redis: server as unknown as Redis,
      link,
      vouched: () => true,
      prove: proveByWriting,
      now: () => time,
      onError: (reason) => errors.push(reason),
    });
    await made.units[0]?.start();
    await settle();
  });
  afterEach(() => made.units[0]?.stop());

  it('trusts a link to the server that is read from, a missing stream included', () => {
    expect(isTrusted()).toBe(true);
    expect(keptOnly).toEqual([one]);
  });

  it('does not trust a link to another server, and lets it be closed', async () => {
    server.runId = other;
    server.emit('close');
    expect(isTrusted()).toBe(false);
    await prove();
    expect(isTrusted()).toBe(false);
    expect(keptOnly).toEqual([one, other]);
    linkedTo = other;
    expect(isTrusted()).toBe(true);
  });

  it('gives up the connection that reads where the link was made later and leads elsewhere', async () => {
    await prove();
    [linkedTo, linkedAt] = [other, 1];
    await prove();
    expect(isTrusted()).toBe(false);
    expect([server.givenUp, keptOnly]).toEqual([1, [one, one]]);
  });

  it.each(['READONLY You can’t write', 'NOREPLICAS Not enough', 'LOADING', 'MISCONF Errors'])(
    'trusts nothing from the moment of %s',
    async (refusal) => {
      server.refusal = refusal;
      await prove();
      expect(isTrusted()).toBe(false);
      expect(errors).toEqual([refusal.split(' ')[0]]);
      server.refusal = undefined;
      await prove();
      expect(isTrusted()).toBe(true);
    },
  );

  it('trusts on without an answer until the last proof is 2 s old', async () => {
    server.refusal = 'Command timed out';
    time = 1_999;
    await prove();
    expect(isTrusted()).toBe(true);
    time = 2_000;
    expect(isTrusted()).toBe(false);
  });

  it('takes no proof from a connection that has closed since', async () => {
    server.emit('close');
    server.emit('ready');
    server.emit('close');
    await settle();
    expect(isTrusted()).toBe(false);
  });
});
