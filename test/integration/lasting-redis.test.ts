import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import {
  closeRedis,
  createLogger,
  createRedis,
  type RedisConfig,
  type RedisConnection,
} from '@sallyport/shared/runtime';
import { certificateAuthority } from '../support/certificates.js';
import { until } from '../support/until.js';

describe('a connection that fails before it has a socket', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-lasting-'));
  let server: RedisProcess;
  let place: RedisConfig;
  let redis: RedisConnection | undefined;

  beforeAll(async () => {
    server = await startRedis({ directory });
    place = { nodes: [{ host: '127.0.0.1', port: server.port }], mode: 'standalone', database: 0 };
  });
  afterEach(() => redis && closeRedis(redis));
  afterAll(async () => {
    await server.kill();
    rmSync(directory, { recursive: true });
  });

  const create = (config = place, current = () => place): RedisConnection => {
    const logger = createLogger({ name: 'test', level: 'silent' });
    redis = createRedis(config, { command: 1_000, connect: 1_000 }, logger, current);
    return redis;
  };
  const answers = (one: RedisConnection): Promise<boolean> =>
    one.ping().then(
      () => true,
      () => false,
    );

  it('is tried again when it was to reconnect while it was being dialled', async () => {
    const one = create();
    const refused = one.connect();
    one.disconnect(true);
    await expect(refused).rejects.toThrow('closed');
    await until(() => answers(one), 10_000);
  });

  it('is tried again, with what the files hold by then, when its certificate is not the key’s', async () => {
    const [some, other] = [certificateAuthority().issue(), certificateAuthority().issue()];
    const one = create({ ...place, tls: { cert: some.cert, key: other.key } });
    await expect(one.connect()).rejects.toThrow();
    await until(() => answers(one), 10_000);
  });

  it.each([
    ['closed', (one: RedisConnection) => one.disconnect()],
    ['told to quit', (one: RedisConnection) => void one.quit().catch(() => undefined)],
  ])('is left alone once it is %s', async (_, end) => {
    const current = jest.fn(() => place);
    const one = create(place, current);
    await one.connect();
    const ended = once(one, 'end');
    end(one);
    await ended;
    expect(current).not.toHaveBeenCalled();
    expect(one.status).toBe('end');
  });

  it('is left alone when it is closed between two attempts', async () => {
    const one = create({ ...place, tls: { cert: 'none' } }, () => place);
    await expect(one.connect()).rejects.toThrow();
    one.disconnect();
    // What would be the next attempt's turn is over once a later one has had its own.
    const later = create({ ...place, tls: { cert: 'none' } });
    await expect(later.connect()).rejects.toThrow();
    await until(() => answers(later));
    expect(one.status).toBe('end');
  });
});
