import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { runCommand, settingsOf } from '../support/command.js';
import { sealKeys, startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { describeOnRedis, users } from '../support/redis.js';

interface Finding {
  readonly about: string;
  readonly state: string;
  readonly what: string;
  readonly todo?: string;
}

describeOnRedis(
  '6.2',
  'the doctor',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.permissions.recover();
    });
    const run = (env: Record<string, string> = {}, ...args: string[]) =>
      runCommand({ ...settingsOf(stack, redis()), ...env }, 'doctor', ...args);
    /** Exit code and findings, and that every complaint says what to do. */
    const examine = async (env: Record<string, string> = {}) => {
      const { code, out } = await run(env, '--json');
      const report = JSON.parse(out) as { time: string; ok: boolean; findings: Finding[] };
      expect(report.ok).toBe(code === 0);
      const failed = report.findings.filter(({ state }) => state === 'failed');
      for (const { about, todo = '' } of failed) {
        expect([about, todo !== '' || about === 'configuration']).toEqual([about, true]);
      }
      return { code, ...report, failed: failed.map(({ about }) => about) };
    };

    it('finds everything well, one line each, and names nobody', async () => {
      stack.permissions.answer = answerJson(200, { ...ordinaryGrants, userId: 'canary-of-ada' });
      await stack.login();
      await stack.login();
      const { code, out } = await run();

      expect(out.replaceAll(/ {2,}/g, ' | ').trim().split('\n')).toEqual([
        'ok | configuration | good',
        'ok | seal keys | k1 seals; to open: k0',
        'ok | Redis | answers (standalone)',
        'ok | Redis role | a primary, it takes writes',
        expect.stringMatching(/^(?:ok|warning) \| Redis settings \| /),
        'ok | Redis permissions | the user may run every command that is needed',
        expect.stringMatching(/^ok \| Redis clock \| \d+ ms (?:ahead of|behind) this machine$/),
        expect.stringMatching(/^ok \| record contract \| /),
        'ok | sessions | 2 live, revocations under way: 0',
        'ok | session records | all of 2 looked at can be read and opened',
        'ok | provider idp | its discovery document was read and fits the registration',
        expect.stringMatching(/^ok \| permission service \| answers \(200 /),
      ]);
      expect(code).toBe(0);
      const secrets = [...stack.idp.issued, users.writer.password, sealKeys.slice(3, 46)];
      expect(secrets.filter((secret) => out.includes(secret))).toEqual([]);
      expect(out).not.toMatch(/[A-Za-z0-9_-]{43}|canary/);
      const { ok, time } = await examine();
      expect([ok, new Date(time).toISOString()]).toEqual([true, time]);
    });

    it('finds what is wrong with the neighbours, each whatever the others say', async () => {
      const { code, failed } = await examine({
        IDP_ISSUER_URI: 'http://127.0.0.1:1',
        PERMISSION_SERVICE_URL: 'http://127.0.0.1:1/permission-service',
      });
      expect([code, failed]).toEqual([1, ['provider idp', 'permission service']]);
      stack.permissions.answer = answerJson(503, {});
      expect((await examine()).failed).toEqual(['permission service']);
      const other = await examine({ IDP_ISSUER_URI: `${stack.idp.issuer}/other` });
      expect(other.failed).toContain('provider idp');
    });

    it('finds a Redis that loses sessions, or refuses commands', async () => {
      const [admin] = redis().admins;
      await admin?.config('SET', 'maxmemory-policy', 'allkeys-lru');
      await admin?.call('ACL', 'SETUSER', users.writer.name, '-xautoclaim');
      const { code, findings, failed } = await examine();
      await admin?.config('SET', 'maxmemory-policy', 'noeviction');
      await admin?.call('ACL', 'SETUSER', users.writer.name, '+xautoclaim');

      expect([code, failed]).toEqual([1, ['Redis settings', 'Redis permissions']]);
      expect(findings).toContainEqual({
        ...{ about: 'Redis settings', state: 'failed', todo: 'Set noeviction.' },
        what: 'maxmemory-policy is allkeys-lru: Redis would drop sessions and revocations',
      });
      expect((await examine()).failed).toEqual([]);
    });

    it('finds a clock that is not that of Redis', async () => {
      const preload = pathToFileURL(join(process.cwd(), 'test/support/skewed-clock.mjs')).href;
      for (const [skew, side] of [
        ['60000', 'behind'],
        ['-60000', 'ahead of'],
      ] as const) {
        const { code, findings } = await examine({
          NODE_OPTIONS: `--import ${preload}`,
          CLOCK_SKEW_MS: skew,
        });
        expect(code).toBe(1);
        const clock = findings.find(({ about }) => about === 'Redis clock');
        expect(clock?.what).toMatch(new RegExp(`^(?:59|60)\\d{3} ms ${side} this machine$`));
      }
    });

    it('finds sessions that no seal key opens', async () => {
      await stack.login();
      const [, k0 = ''] = sealKeys.split(',');
      const { code, failed } = await examine({ TOKEN_SEAL_KEYS: k0 });
      expect([code, failed]).toEqual([1, ['session records']]);
    });

    it('finds every mistake in the settings, and looks no further', async () => {
      const { code, findings, failed } = await examine({
        IDP_CLIENT_ID: '',
        SESSION_COOKIE_NAME: 'SESSION',
      });
      expect([code, failed]).toEqual([1, ['configuration', 'configuration']]);
      expect(findings.at(-1)).toMatchObject({ about: 'all else', state: 'unknown' });
    });

    describe('with a Redis that was stopped', () => {
      afterAll(() => redis().servers[0]?.restart());

      it('says so, and still looks at all else', async () => {
        await redis().servers[0]?.stop();
        const [{ code, findings, failed }, { out }] = await Promise.all([examine(), run()]);

        expect([code, failed]).toEqual([1, ['Redis']]);
        const stateOf = (about: string) => findings.find((one) => one.about === about)?.state;
        expect(stateOf('sessions')).toBe('unknown');
        expect([stateOf('provider idp'), stateOf('permission service')]).toEqual(['ok', 'ok']);
        expect(out).toMatch(/^failed +Redis +Redis gave no answer for 3 s: .*Is it running/m);
        expect(out).not.toContain(users.writer.password);
      });
    });
  },
  { appendOnly: true },
);
