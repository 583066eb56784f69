import { expect, it } from '@jest/globals';
import { auditRef } from '../../session-gateway/src/audit/audit-log.js';
import { commandRig } from '../support/command-rig.js';
import { runCommand } from '../support/command.js';
import { ordinaryGrants } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';

describeOnRedis(
  '6.2',
  'the gateway’s command line',
  (redis) => {
    const rig = commandRig(redis);

    it('lists where a user is logged in, and only that user', async () => {
      const { run, login, expectNoSecret } = rig();
      for (const userId of ['user-7', 'user-7', 'user-8']) await login(userId);
      const { code, out } = await run('session', 'list', '--user', 'user-7');

      expect(code).toBe(0);
      const [head = '', ...lines] = out.trimEnd().split('\n');
      expect(head).toMatch(/^REF +KIND +DEVICE +FROM +LOGGED IN +LAST SEEN +ENDS IF IDLE$/);
      expect(lines).toHaveLength(3);
      for (const line of lines.slice(0, 2)) {
        expect(line).toMatch(
          /^[\w-]{22} +browser +Firefox on Linux +203\.0\.113\.0\/24 +\S+ \S+ \(\d+ s ago\) .* \(in 30 min\)$/,
        );
      }
      expect(lines.at(-1)).toBe('2 sessions. Times are UTC.');
      await expectNoSecret(out);
      expect((await run('session', 'list', '--user', 'nobody')).out).toContain('has no session');
    });

    it('shows one session by each of its names, and never a token', async () => {
      const { run, login, live, refsOf, expectNoSecret } = rig();
      const browser = await login();
      const { handle } = live(browser);
      const [ref = ''] = await refsOf('user-7');
      const answers = [];
      for (const name of [ref, auditRef(handle), handle]) {
        answers.push(await run('session', 'show', name, '--json'));
      }
      const text = await run('session', 'show', ref);

      expect(answers.map(({ code }) => code)).toEqual([0, 0, 0]);
      const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
      for (const { out } of answers) {
        expect(JSON.parse(out)).toEqual({
          ...{ ref, auditName: auditRef(handle), kind: 'browser', identityProvider: 'idp' },
          ...{ device: 'Firefox on Linux', ipPrefix: '203.0.113.0/24', ...ordinaryGrants },
          ...{ createdAt: iso, lastAccessedAt: iso, expiresAt: iso, absoluteExpiresAt: iso },
          ...{ permissionsFreshUntil: iso, tokensExpireAt: iso },
        });
        await expectNoSecret(out);
      }
      expect(text.out).toMatch(/^absoluteExpiresAt +\d{4}-\S+ \S+ \(in 12 h\)$/m);
      expect(text.out).toMatch(/^roles +ADMIN,USER$/m);
      await expectNoSecret(text.out);
      const none = await run('session', 'show', 'x'.repeat(22));
      expect([none.code, none.out]).toEqual([1, '']);
      expect(none.err).toContain('There is no session of this name');
    });

    it('says what it did not understand, and begins nothing', async () => {
      const { run } = rig();
      const bad = await run('session', 'flsuh', '--yes');
      expect([bad.code, bad.out]).toEqual([2, '']);
      expect(bad.err).toContain('Usage: ');
      const help = await run('--help');
      expect([help.code, help.err]).toEqual([0, '']);
      expect(help.out).toContain('session flush --yes');
    });

    it('says that Redis does not answer, without a stack trace', async () => {
      const { settings } = rig();
      const away = { REDIS_URL: 'redis://127.0.0.1:1', GATEWAY_REDIS_PATIENCE_MS: '100' };
      const env = { ...settings, ...away };
      const { code, out, err } = await runCommand(env, 'session', 'list', '--user', 'user-7');
      expect([code, out]).toEqual([1, '']);
      expect(err).toContain('Redis gave no answer');
      expect(err).not.toContain('    at ');
    });
  },
  { appendOnly: true },
);
