import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  contractKey,
  contractOf,
  contractText,
  defaultSessionCookieName,
  defaultSessionKeyPrefix,
  type RecordContract,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { runCommand, settingsOf } from '../support/command.js';
import { startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { gatewayBinary, startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis, redis62, redisCluster, users, type TestRedis } from '../support/redis.js';
import { runBinary } from '../support/run-binary.js';
import { until } from '../support/until.js';

const extauthzBinary = join(import.meta.dirname, '../../extauthz/dist/main.js');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-contract-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ours = contractOf({
  keyForm: 'hashed',
  keyPrefix: defaultSessionKeyPrefix,
  cookieName: defaultSessionCookieName,
});
const raw: RecordContract = { ...ours, keyForm: 'raw' };
/** As a gateway that is running would say it. */
const plantIn = (admin: RedisConnection, contract: RecordContract) =>
  admin.hset(contractKey, contractText(contract), Date.now() + 3_600_000);
const readinessOf = async (service: ExtauthzProcess | undefined) =>
  (await fetch(`http://127.0.0.1:${String(service?.healthPort)}/readyz`)).status;
const ports = { EXTAUTHZ_HTTP_PORT: '0', EXTAUTHZ_GRPC_PORT: '0', EXTAUTHZ_HEALTH_PORT: '0' };

describeOnRedis('6.2', 'extauthz that starts while Redis is away', (redis) => {
  it('is not refused, and is not ready when it learns that the gateway disagrees', async () => {
    const [server] = redis().servers;
    await server?.stop();
    const env = redis().env(users.reader);
    const service = await startExtauthz({ directory: folder, env, ready: false });
    await server?.restart();
    const admin = await redis().connect(users.admin);
    await plantIn(admin, raw);
    await until(() => service.log().includes('SESSION_KEY_FORM is raw there and hashed here'));
    const answer = await fetch(`http://127.0.0.1:${String(service.healthPort)}/readyz`);
    expect([answer.status, await answer.text()]).toEqual([
      503,
      expect.stringContaining('record contract'),
    ]);
    await service.child.kill();
  });
});

// At once: most of it is waiting until extauthz looks again.
describe('extauthz on a single Redis and on a Cluster', () => {
  let places: readonly TestRedis[] = [];
  beforeAll(async () => {
    const options = { appendOnly: true };
    places = await Promise.all([redis62(options), redisCluster(options)]);
  });
  afterAll(() => Promise.all(places.map((place) => place.close())));

  it('is ready without any word, and follows what gateways say later', async () => {
    await Promise.all(places.map(followsWhatIsSaid));
  });
});

async function followsWhatIsSaid(redis: TestRedis): Promise<void> {
  const env = redis.env(users.reader);
  const kind = 'REDIS_CLUSTER_NODES' in env ? 'Cluster' : 'single';
  const admin = await redis.connect(users.admin);
  const service = await startExtauthz({ directory: folder, env });
  try {
    const readiness = async () => [kind, await readinessOf(service)];
    expect(service.log()).toContain('No session-gateway has said in this Redis');
    await plantIn(admin, raw);
    await until(() => service.log().includes('SESSION_KEY_FORM is raw there and hashed here'));
    expect(await readiness()).toEqual([kind, 503]);
    // One that fits runs as well: there are sessions to answer for.
    await plantIn(admin, ours);
    await until(async () => (await readinessOf(service)) === 200);
    await admin.hdel(contractKey, contractText(raw));
    await until(() => service.log().includes('writes sessions as this service reads'));
    expect(await readiness()).toEqual([kind, 200]);
  } finally {
    await service.child.kill();
  }
}

describeOnRedis('6.2', 'gateway and extauthz that disagree', suite, { appendOnly: true });
describeOnRedis('cluster', 'gateway and extauthz that disagree, on a Cluster', suite, {
  appendOnly: true,
});

function suite(redis: Parameters<Parameters<typeof describeOnRedis>[2]>[0]): void {
  let admin: RedisConnection;
  let stack: GatewayStack | undefined;
  let service: ExtauthzProcess | undefined;
  beforeEach(async () => {
    for (const one of redis().admins) await one.flushall();
    admin = await redis().connect(users.admin);
  });
  afterEach(async () => {
    await service?.child.kill();
    await stack?.close();
    [service, stack] = [undefined, undefined];
  });

  // The Cluster has no replicas.
  const place = () => ({
    writerEnv: { ...redis().env(users.writer), REDIS_REVOCATION_ACKS: '0' },
  });
  const gateway = () => startGatewayStack(place());
  const start = (env = redis().env(users.reader)) => startExtauthz({ directory: folder, env });
  const refused = (env: Record<string, string>) =>
    runBinary(extauthzBinary, { ...redis().env(users.reader), ...ports, ...env });
  const plant = (contract: RecordContract) => plantIn(admin, contract);
  const said = async () => Object.keys(await admin.hgetall(contractKey)).sort();

  it('extauthz refuses to start beside a gateway that writes other keys, and says why', async () => {
    stack = await gateway();
    expect(await said()).toEqual([contractText(ours)]);
    const { code, out } = await refused({
      SESSION_KEY_FORM: 'raw',
      EXTAUTHZ_SESSION_KEY_PREFIX: 'extauthz:session:acme:',
    });
    expect(code).toBe(1);
    expect(out).toContain('The session-gateway and this extauthz disagree');
    expect(out).toContain('SESSION_KEY_FORM is hashed there and raw here');
    expect(out).toContain(
      'EXTAUTHZ_SESSION_KEY_PREFIX is extauthz:session: there and extauthz:session:acme: here',
    );
    expect(out).toContain('Give both the same settings');
    expect(out).not.toContain(users.reader.password);
    service = await start();
    expect(service.log()).not.toMatch(/disagree|how it writes sessions|cannot be read/);
  });

  it('extauthz starts beside records of the version before and after, not of the one after that', async () => {
    await plant({ ...ours, version: ours.version + 1 });
    await plant({ ...ours, version: ours.version - 1 });
    service = await start();
    await service.child.kill();
    await plant({ ...ours, version: ours.version + 2 });
    const { code, out } = await refused({});
    expect(code).toBe(1);
    expect(out).toContain(`its session records are of version ${ours.version + 2}, ours of`);
  });

  it('a gateway refuses to start beside one that writes other keys, and changes nothing', async () => {
    stack = await gateway();
    const env = settingsOf(stack, place());
    const { code, out } = await runBinary(gatewayBinary, {
      ...{ ...env, GATEWAY_PORT: '0', GATEWAY_MANAGEMENT_PORT: '0' },
      SESSION_KEY_FORM: 'raw',
    });
    expect([code, out.includes('SESSION_KEY_FORM is hashed there and raw here')]).toEqual([
      1,
      true,
    ]);
    expect(out).toContain('stop the others first');
    expect(await said()).toEqual([contractText(ours)]);
    await stack.login();

    // The doctor sees the same, from either side.
    const seen = await runCommand({ ...env, SESSION_KEY_FORM: 'raw' }, 'doctor');
    expect(seen.out).toMatch(/^failed +record contract +Another session-gateway is running/m);
    const well = await runCommand(env, 'doctor');
    expect(well.out).toMatch(/^ok +record contract +running gateways write sessions as these/m);
  });

  it('a gateway starts beside those of the version before and after, and leaves their word', async () => {
    const neighbours = [ours.version + 1, ours.version - 1].map((version) => ({
      ...ours,
      version,
    }));
    for (const one of neighbours) await plant(one);
    stack = await gateway();
    expect(await said()).toEqual([ours, ...neighbours].map(contractText).sort());
  });

  it('extauthz warns of a cookie that the gateway does not set', async () => {
    await plant({ ...ours, cookieName: '__Host-other' });
    service = await start();
    expect(service.log()).toContain('SESSION_COOKIE_NAME is another at the session-gateway');
  });

  it('extauthz with the Redis user of before warns and is ready', async () => {
    await plant(raw);
    const user = { name: 'before', password: 'password-of-before' };
    const rights =
      '~extauthz:session:* ~extauthz:activity resetchannels &__redis__:invalidate -@all +hmget +hgetall +pttl +ping +info +role +time +client|id +client|tracking +subscribe +xadd|extauthz:activity +cluster|slots +cluster|info +asking';
    for (const one of redis().admins) {
      const words = ['reset', 'on', `>${user.password}`, ...rights.split(' ')];
      await one.call('ACL', 'SETUSER', user.name, ...words);
    }
    service = await start(redis().env(user));
    expect(service.log()).toContain(`${contractKey} cannot be read`);
    expect(await readinessOf(service)).toBe(200);
  });
}
