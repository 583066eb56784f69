import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { PlainLink } from '../../session-gateway/src/sessions/write-link.js';
import { AcknowledgedLink } from '../../session-gateway/src/sessions/acknowledged-link.js';
import { BrowserJar, setCookies } from './browser-jar.js';
import { startGatewayStack, type GatewayStack } from './gateway.js';
import { users, type TestRedis } from './redis.js';
import { heartbeat, metric, sessionOf } from './replicas.js';
import { until } from './until.js';

const { writer } = users;
/** For a password to be read again, ms: the load must end with a wait that does not. */
const patience = 30_000;

function placeOf(redis: TestRedis): Record<string, string> {
  const [first] = redis.servers;
  return redis.servers.length > 1
    ? { REDIS_CLUSTER_NODES: redis.servers.map(({ port }) => `127.0.0.1:${port}`).join(',') }
    : { REDIS_PORT: String(first?.port) };
}

/** What must hold when the gateway’s Redis password is rotated. */
export function redisCredentials(redis: () => TestRedis): void {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-credential-'));
  const file = join(folder, 'password');
  let stack: GatewayStack;
  beforeAll(async () => {
    writeFileSync(file, `${writer.password}\n`);
    stack = await startGatewayStack(redis(), {
      ...placeOf(redis()),
      REDIS_URL: '',
      REDIS_USERNAME: writer.name,
      REDIS_PASSWORD_FILE: file,
      REDIS_REVOCATION_ACKS: '0',
    });
  });
  afterAll(async () => {
    await stack.close();
    rmSync(folder, { recursive: true });
  });

  const onAll = (command: string, ...words: string[]) =>
    Promise.all(redis().admins.map((admin) => admin.call(command, ...words)));
  const acl = (...rules: string[]) => onAll('ACL', 'SETUSER', writer.name, ...rules);
  const mayLogIn = async (): Promise<boolean> => {
    const browser = new BrowserJar();
    const start = await browser.visit(stack.startUrl);
    if (start.status !== 302) return false;
    const callback = await browser.redirectsUntil(
      String(start.headers.location),
      `${stack.origin}/login/`,
    );
    return setCookies(await browser.visit(callback, { site: 'cross-site' })).length === 3;
  };

  /** Heartbeats and logins without a pause, until it is done. */
  async function underLoad(act: () => Promise<void>): Promise<Map<number, number>> {
    const sessions = [];
    for (let index = 0; index < 4; index += 1) {
      sessions.push(sessionOf(await stack.login(), stack.origin));
    }
    const statuses = new Map<number, number>();
    const stopping = new AbortController();
    const load = sessions.map(async (session) => {
      while (!stopping.signal.aborted) {
        const { status } = await heartbeat(stack.origin, session);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    });
    try {
      await act();
      // All of them have a connection that works again.
      const before = statuses.get(200) ?? 0;
      await until(() => (statuses.get(200) ?? 0) > before + 200);
    } finally {
      stopping.abort();
      await Promise.all(load);
    }
    return statuses;
  }

  it('are read again when the password was rotated: nobody is logged out, nothing restarted', async () => {
    const { pid } = stack.gateway;
    const statuses = await underLoad(async () => {
      await acl('>rotated');
      writeFileSync(file, 'rotated\n');
      await acl(`<${writer.password}`);
      await onAll('CLIENT', 'KILL', 'USER', writer.name);
      await until(mayLogIn, patience);
    });

    expect([...statuses.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(stack.gateway.pid).toBe(pid);
    expect(await mayLogIn()).toBe(true);
    await until(() => stack.log().includes('redis: the credential has changed'));
    expect(stack.log()).not.toContain('rotated');
  });

  it('that come late are taken up when they come: 503 until then, never 401', async () => {
    const statuses = await underLoad(async () => {
      await acl('resetpass', '>late');
      await onAll('CLIENT', 'KILL', 'USER', writer.name);
      await until(async () => {
        const refused = 'gateway_redis_errors_total{reason="';
        const reasons = ['WRONGPASS', 'NOAUTH', 'CONNECTION'];
        const counts = reasons.map((reason) =>
          metric(stack.managementOrigin, `${refused}${reason}"}`),
        );
        return (await Promise.all(counts)).some((count) => count > 0);
      });
      await until(async () => !(await mayLogIn()));
      writeFileSync(file, 'late\n');
      await until(mayLogIn, patience);
    });

    expect(statuses.get(503)).toBeGreaterThan(0);
    expect([...statuses.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
  });

  it('reach the link that waits for replicas, too', async () => {
    const connection = await redis().connect(users.admin);
    const config = redis().config({ ...writer, password: 'of-yesterday' });
    const key = 'gateway:test';
    const write = [{ key, words: ['SET', key, '1', 'PX', '1000'] as const }];
    const options = { config, redis: connection, acks: 0, timeout: 2000 };
    const old = new AcknowledgedLink(options);
    await expect(old.write(write)).rejects.toThrow();
    const current = () => ({ ...config, password: 'late' });
    const link = new AcknowledgedLink({ ...options, current });
    expect(await link.write(write)).toEqual(await new PlainLink(connection).write(write));
    await Promise.all([old.close(), link.close()]);
  });
}
