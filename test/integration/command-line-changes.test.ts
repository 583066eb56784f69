import { expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { auditRef } from '../../session-gateway/src/audit/audit-log.js';
import { BrowserJar } from '../support/browser-jar.js';
import { commandRig } from '../support/command-rig.js';
import { runCommand } from '../support/command.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';

describeOnRedis(
  '6.2',
  'the command line that changes sessions',
  (redis) => {
    const rig = commandRig(redis);

    it('revokes all of a user: the next heartbeat is 401, also for a login under way', async () => {
      const { stack, run, login, statusOf, audit } = rig();
      const browsers = [await login(), await login()];
      const other = await login('user-8');
      const atTheProvider = new BrowserJar();
      stack.permissions.recover();
      const callback = await stack.beginLogin(atTheProvider);
      const tokensRevoked = stack.idp.count('/token/revocation');
      const { code, out } = await run('session', 'revoke', '--user', 'user-7');

      expect([code, out]).toEqual([0, '2 sessions of this user ended.\n']);
      expect(await Promise.all(browsers.map(statusOf))).toEqual([401, 401]);
      expect(stack.idp.count('/token/revocation') - tokensRevoked).toBe(2);
      expect(await statusOf(other)).toBe(200);
      const refused = await atTheProvider.visit(callback, { site: 'cross-site' });
      expect(refused.headers.location).toContain('/login?error=auth_failed');
      expect(audit()).toMatchObject([
        { event: 'revoke', cause: 'cli', kind: 'user', ended: 2, userId: 'user-7' },
        { event: 'admin', cause: 'cli', action: 'revoke_user', outcome: 'success' },
      ]);
    });

    it('revokes one session, and no other', async () => {
      const { run, login, live, statusOf, audit } = rig();
      const [first, second] = [await login(), await login()];
      const { handle } = live(first);
      const { code, out } = await run('session', 'revoke', auditRef(handle));

      expect([code, out]).toEqual([0, 'The session ended.\n']);
      expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);
      const session = auditRef(handle);
      expect(audit()).toMatchObject([
        { event: 'revoke', cause: 'cli', ended: 1, userId: 'user-7', session },
        { event: 'admin', cause: 'cli', action: 'revoke_session', outcome: 'success', session },
      ]);
      expect((await run('session', 'revoke', auditRef(handle))).code).toBe(1);
    });

    it('says where the replicas have not confirmed what has ended', async () => {
      const { settings, login, statusOf, audit } = rig();
      const browser = await login();
      const waits = { REDIS_REVOCATION_ACKS: '1', GATEWAY_REDIS_TIMEOUT_MS: '1000' };
      const words = ['session', 'revoke', '--user', 'user-7'];
      const { code, out, err } = await runCommand({ ...settings, ...waits }, ...words);

      expect([code, out]).toEqual([1, '']);
      expect(err).toContain('1 session ended, but fewer replicas');
      expect(err).not.toContain('    at ');
      expect(await statusOf(browser)).toBe(401);
      expect(audit()).toMatchObject([
        { event: 'revoke', cause: 'cli', ended: 1 },
        { event: 'admin', cause: 'cli', outcome: 'failure', reason: 'not_acknowledged' },
      ]);
    });

    it('ends everybody’s sessions only with --yes, and says before how many', async () => {
      const { run, login, live, statusOf, audit } = rig();
      const browsers = [await login(), await login(), await login('user-8')];
      // Of a later version: no session to this one, and alive for the reader.
      const strange = await login('user-9');
      await redis().admins[0]?.hset(live(strange).key, 'kind', 'robot');
      const refused = await run('session', 'flush');

      expect([refused.code, refused.out]).toEqual([1, '']);
      expect(refused.err).toContain('This would end 4 sessions of 2 users');
      expect(await Promise.all(browsers.map(statusOf))).toEqual([200, 200, 200]);
      const done = await run('session', 'flush', '--yes');
      expect([done.code, done.out]).toEqual([0, '4 sessions ended.\n']);
      expect(await Promise.all(browsers.map(statusOf))).toEqual([401, 401, 401]);
      const left = (await records(redis())).filter(({ key }) => !key.startsWith('gateway:rl:'));
      expect(left).toEqual([]);
      expect(audit().at(-1)).toMatchObject({ action: 'flush_sessions', outcome: 'success' });
    });

    it('seeds a session for development, and prints its cookie once', async () => {
      const { stack, run, refsOf, audit } = rig();
      const words = ['--user', 'user-5', '--roles', 'A,B', '--permissions', 'c:d', '--ttl', '600'];
      const { code, out, err } = await run('session', 'seed', ...words);

      expect(code).toBe(0);
      expect(out).toContain('FOR DEVELOPMENT ONLY');
      const [, cookie = ''] = /^Cookie: (__Host-session=[\w-]{43})$/m.exec(out) ?? [];
      expect((out + err).split(cookie)).toHaveLength(2);
      const answer = await exchange(`${stack.origin}/auth/v1/session`, {
        headers: [['Cookie', cookie]],
      });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text)).toMatchObject({
        ...{ userId: 'user-5', roles: ['A', 'B'], permissions: ['c:d'] },
      });
      for (const { key, ttl } of await records(redis())) {
        expect([key, ttl > 0 && ttl <= 600_000]).toEqual([key, true]);
      }
      expect(await refsOf('user-5')).toHaveLength(1);
      expect(audit()).toMatchObject([{ action: 'seed_session', cause: 'cli', userId: 'user-5' }]);
      const late = await run('session', 'seed', '--user', 'u', '--ttl', '43201');
      expect([late.code, late.out]).toEqual([1, '']);
    });

    it('seeds nothing where it counts', async () => {
      const { settings } = rig();
      const earnest = {
        ...settings,
        DEV_INSECURE: '',
        PUBLIC_ORIGIN: 'https://app.acme.test',
        IDP_ISSUER_URI: 'https://login.acme.test/',
        IDP_CLIENT_SECRET: 'a-client-secret-of-93-Zq7w',
      };
      const seed = ['session', 'seed', '--user', 'user-5'];
      const unset = await runCommand(earnest, ...seed);
      const production = { ...earnest, NODE_ENV: 'production' };
      const set = await runCommand({ ...production, DEV_INSECURE: '1' }, ...seed);

      expect([unset.code, unset.out]).toEqual([1, '']);
      expect(unset.err).toContain('refused unless DEV_INSECURE=1');
      expect((await runCommand(production, ...seed)).code).toBe(1);
      expect([set.code, set.out]).toEqual([1, '']);
      expect(set.err).toContain('DEV_INSECURE: is refused');
      expect(await records(redis())).toEqual([]);
    });
  },
  { appendOnly: true },
);
