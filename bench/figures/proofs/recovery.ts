import { connect } from 'node:net';
import { ask, type Asker } from '../../src/load/asker.js';
import { grpcAsker } from '../../src/load/grpc-asker.js';
import { httpAsker } from '../../src/load/http-asker.js';
import { sessionIdAt, userIdAt } from '../../src/load/sessions.js';
import { benchRedis, type BenchRedis } from '../../src/parts/redis.js';
import { startExtauthz } from '../../src/parts/services.js';
import { holdsWithin } from '../../src/poll.js';
import { seedSessions } from '../../src/seeding.js';
import type { Proof } from '../figure.js';
import { monotonicMs } from '../traffic/journal.js';
import { target } from '../traffic/traffic.js';

const sessions = 1_000;
const patience = 30_000;

export const recovery: Proof = {
  name: 'recovery',
  about: 'From the first PING that Redis answers again to the first correct allow',
  minutes: 5,
  run: async (bench, { seed, short }) => {
    const times = short ? 2 : 10;
    const redis = await benchRedis(bench, { durable: true });
    await seedSessions(redis, seed, { from: 0, to: sessions });
    const service = await startExtauthz(bench, { name: 'extauthz', redisPort: redis.process.port });
    const askers = [
      httpAsker(target('http', service.httpPort)),
      grpcAsker(target('grpc', service.grpcPort), 1),
    ];
    for (const asker of askers) bench.keep(asker, (one) => one.close());
    const waits: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const session = time % sessions;
      await redis.process.kill();
      await Promise.all(askers.map((asker) => firstTime(asker, seed, session, (ok) => !ok)));
      const [back, ...allowed] = await Promise.all([
        firstPong(redis),
        ...askers.map((asker) => firstTime(asker, seed, session, (ok) => ok)),
        redis.process.restart().then(() => 0),
      ]);
      // The last of them is the restart's own.
      waits.push(...allowed.slice(0, askers.length).map((at) => Math.max(0, at - back)));
    }
    const worst = Math.max(...waits);
    return {
      notes: [`recovery, ms, HTTP and gRPC in turn: ${waits.map((ms) => ms.toFixed(0)).join(' ')}`],
      figures: [{ name: 'recovery-worst', value: worst, goal: { atMost: 1_000 }, unit: 'ms' }],
    };
  },
};

/** When the answer first is (or is not) an allow with the right user. */
async function firstTime(
  asker: Asker,
  seed: string,
  session: number,
  wanted: (allowed: boolean) => boolean,
): Promise<number> {
  let at = Number.NaN;
  const came = await holdsWithin(patience, async () => {
    const answer = await ask(asker, sessionIdAt(seed, session));
    at = monotonicMs();
    return wanted(answer.status === 200 && answer.userId() === userIdAt(session));
  });
  if (!came) throw new Error('recovery: the awaited answer did not come');
  return at;
}

async function firstPong(redis: BenchRedis): Promise<number> {
  const came = await holdsWithin(patience, () => pongs(redis));
  if (!came) throw new Error('recovery: Redis did not come back');
  return monotonicMs();
}

/** One PING on a connection of its own; while the AOF is loaded it is answered with an error. */
function pongs({ process: { port }, adminCredentials }: BenchRedis): Promise<boolean> {
  const { username, password } = adminCredentials;
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.split('\r\n').length < 3) return;
      resolve(text.includes('+PONG'));
      socket.destroy();
    });
    socket.write(`AUTH ${username} ${password}\r\nPING\r\n`);
  });
}
