import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import { redisAcl } from '@sallyport/demo/redis-acl';
import { newSessionId } from '@sallyport/shared';
import { startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { users } from '../../support/redis.js';
import { until } from '../../support/until.js';

const { reader, writer, admin } = users;

describe.each([7, 6] as const)('the reader’s credential, with the ACL of Redis %s', (major) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-credential-'));
  const secret = join(folder, 'secret');
  const passwords = { extauthz: reader.password, sessionGateway: writer.password };
  let rig: FailureRig;

  const start = (env: (port: number) => Record<string, string>): Promise<FailureRig> =>
    startFailureRig({
      redis: {
        acl: [
          ...redisAcl({ version: [major, 0], passwords }),
          `user admin on >${admin.password} ~* &* +@all`,
        ],
      },
      ...(major === 6 ? { version: '6.2' as const } : {}),
      admin,
      env,
    });
  beforeEach(async () => {
    writeFileSync(secret, `${reader.password}\n`);
    rig = await start(() => ({ REDIS_USERNAME: reader.name, REDIS_PASSWORD_FILE: secret }));
  });
  afterEach(() => rig.close());
  afterAll(() => rmSync(folder, { recursive: true }));

  const acl = (...words: string[]) => rig.admin.call('ACL', ...words);
  const errors = (reason: string) => rig.metric(`extauthz_redis_errors_total{reason="${reason}"}`);

  it('without the right to read: 503, not ready, counted as NOPERM; and back', async () => {
    await acl('SETUSER', reader.name, '-hmget');
    const id = await rig.write();
    await rig.turn(id, 503, []);
    await rig.turn(newSessionId(), 503, []);
    expect(await errors('NOPERM')).toBeGreaterThan(0);
    await until(async () => !(await rig.isReady()));
    await acl('SETUSER', reader.name, '+hmget');
    await until(rig.isReady);
    await rig.turn(id, 200, []);
  });

  it('of a deleted user: 503, not ready, counted as WRONGPASS; and back', async () => {
    const id = await rig.write();
    await rig.turn(id, 200);
    const lines = (await acl('LIST')) as string[];
    const line = lines.find((text) => text.startsWith(`user ${reader.name} `)) ?? '';
    await acl('DELUSER', reader.name);
    await rig.turn(id, 503);
    await until(async () => {
      expect(await rig.statuses(id)).toEqual([503, 503]);
      return (await errors('WRONGPASS')) > 0;
    });
    expect(await rig.isReady()).toBe(false);
    await acl('SETUSER', reader.name, ...line.split(' ').slice(2));
    await rig.turn(id, 200);
    await until(rig.isReady);
  });

  it('with a new password: the file is read again, by the link too, without a restart', async () => {
    const id = await rig.write();
    await rig.turn(id, 200);
    const { pid } = rig.service.child;
    await acl('SETUSER', reader.name, 'resetpass', '>rotated');
    await rig.admin.call('CLIENT', 'KILL', 'USER', reader.name);
    await until(async () => {
      expect(await rig.statuses(id)).not.toContain(401);
      return (await errors('WRONGPASS')) > 0;
    });
    await rig.turn(id, 503);
    writeFileSync(secret, 'rotated\n');
    await rig.turn(id, 200);
    await until(async () => (await rig.metric('extauthz_cache_trusted')) === 1);
    expect(rig.links()).toHaveLength(1);
    expect(rig.service.child.pid).toBe(pid);
  });

  it('with a file that is not there for a moment: the last one is used on', async () => {
    const id = await rig.write();
    rmSync(secret);
    await rig.admin.call('CLIENT', 'KILL', 'USER', reader.name);
    await rig.turn(id, 200);
    await until(async () => (await rig.metric('extauthz_cache_trusted')) === 1);
  });

  it('of another user, in the file of REDIS_URL: taken up when the old one is refused', async () => {
    await rig.close();
    const urlFor = (user: string, port: number) =>
      `redis://${user}:${reader.password}@127.0.0.1:${String(port)}/0\n`;
    rig = await start((port) => {
      writeFileSync(secret, urlFor(reader.name, port));
      return { REDIS_URL_FILE: secret };
    });
    const lines = (await acl('LIST')) as string[];
    const line = lines.find((text) => text.startsWith(`user ${reader.name} `)) ?? '';
    await acl('SETUSER', 'second', ...line.split(' ').slice(2));
    writeFileSync(secret, urlFor('second', rig.proxy.port));
    // The connection stays open: only the answer says that this user is out.
    await acl('SETUSER', reader.name, '-hmget');
    await rig.turn(await rig.write(), 200, [503]);
    const clients = String(await rig.admin.call('CLIENT', 'LIST'));
    expect(clients).toContain('user=second');
  });
});
