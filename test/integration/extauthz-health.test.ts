import { connect } from 'node:http2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  credentials,
  makeGenericClientConstructor,
  status,
  type Client,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

const authorization = 'envoy.service.auth.v3.Authorization';
const mostWatchers = 100;

interface Answer {
  readonly status: string;
}
interface HealthClient extends Client {
  check(
    request: { service: string },
    done: (error: ServiceError | null, answer?: Answer) => void,
  ): void;
  watch(request: { service: string }): ClientReadableStream<Answer>;
}
const HealthClient = makeGenericClientConstructor(healthService, 'Health');

describe('grpc.health.v1.Health beside the checks', () => {
  let rig: FailureRig;
  let client: HealthClient;
  const streams: ClientReadableStream<Answer>[] = [];
  const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
    rig = await startFailureRig({ env: () => env });
    const address = `127.0.0.1:${String(rig.service.grpcPort)}`;
    client = new HealthClient(address, credentials.createInsecure()) as unknown as HealthClient;
  };
  const stop = async (): Promise<void> => {
    client.close();
    await rig.close();
  };
  afterEach(() => {
    for (const stream of streams.splice(0)) stream.cancel();
  });

  const ask = (service: string): Promise<string | number> =>
    new Promise((resolve) => {
      client.check({ service }, (error, answer) => resolve(error?.code ?? answer?.status ?? ''));
    });
  const watch = (service: string): { told: string[]; failed: () => number | undefined } => {
    const stream = client.watch({ service });
    const told: string[] = [];
    let code: number | undefined;
    stream.on('data', ({ status: state }: Answer) => told.push(state));
    stream.on('error', (error: ServiceError) => (code = error.code));
    streams.push(stream);
    return { told, failed: () => code };
  };

  describe('of a running service', () => {
    beforeAll(() => start());
    afterAll(() => stop());

    it('says SERVING for the server and for its one service, and knows no other', async () => {
      expect(await ask('')).toBe('SERVING');
      expect(await ask(authorization)).toBe('SERVING');
      expect(await ask('nobody.v1.Nothing')).toBe(status.NOT_FOUND);
    });

    it('tells its watchers when Redis is gone and when it is back, as it answers', async () => {
      const [own, other] = [watch(authorization), watch('nobody.v1.Nothing')];
      await until(() => own.told.length === 1 && other.told.length === 1);
      rig.redis.pause();
      await until(async () => (await ask('')) === 'NOT_SERVING');
      await until(() => own.told.length === 2);
      rig.redis.resume();
      await until(async () => (await ask('')) === 'SERVING');
      await until(() => own.told.length === 3);
      expect(own.told).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']);
      expect(other.told).toEqual(['SERVICE_UNKNOWN']);
    });

    it('takes a bounded number of watchers, and a new one for each that leaves', async () => {
      const watchers = Array.from({ length: mostWatchers }, () => watch(''));
      await until(() => watchers.every(({ told }) => told.length === 1));
      const surplus = watch('');
      await until(() => surplus.failed() !== undefined);
      expect(surplus.failed()).toBe(status.RESOURCE_EXHAUSTED);
      streams[0]?.cancel();
      await until(async () => {
        const next = watch('');
        await until(() => next.told.length === 1 || next.failed() !== undefined);
        return next.failed() === undefined;
      });
      expect(await ask('')).toBe('SERVING');
    });

    it('allows 1024 calls at a time on one connection, and says so', async () => {
      const session = connect(`http://127.0.0.1:${String(rig.service.grpcPort)}`);
      const settings = await new Promise<{ maxConcurrentStreams?: number | undefined }>(
        (resolve, reject) => {
          session.once('remoteSettings', resolve);
          session.once('error', reject);
        },
      );
      session.destroy();
      expect(settings.maxConcurrentStreams).toBe(1024);
    });
  });

  describe('of one that was told to stop', () => {
    beforeAll(() => start({ EXTAUTHZ_DRAIN_WAIT_MS: '60000' }));
    afterAll(() => stop());

    it('says NOT_SERVING and tells it, while checks are still answered', async () => {
      const id = await rig.write();
      await rig.turn(id, 200);
      const watcher = watch(authorization);
      await until(() => watcher.told.length === 1);
      process.kill(rig.service.child.pid ?? 0, 'SIGTERM');
      await until(async () => (await ask(authorization)) === 'NOT_SERVING');
      await until(() => watcher.told.length === 2);
      expect(watcher.told).toEqual(['SERVING', 'NOT_SERVING']);
      expect(await rig.statuses(id)).toEqual([200, 200]);
    });
  });
});
