import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { decodeProtectedHeader } from 'jose';
import type { BrowserJar } from '../support/browser-jar.js';
import {
  gatewayBinary,
  gatewayEnv,
  startGatewayStack,
  type GatewayStack,
} from '../support/gateway.js';
import { describeOnRedis, users } from '../support/redis.js';
import {
  expireTokens,
  heartbeat,
  metric,
  postRefresh,
  sessionOf,
  startReplica,
  tokenVersion,
  type Replica,
} from '../support/replicas.js';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-seal-'));
const file = join(folder, 'keys');
const aKey = (kid: string) => `${kid}:${randomBytes(32).toString('base64url')}`;
const [first, second, third] = [aKey('k1'), aKey('k2'), aKey('k3')];
const write = (...keys: string[]) => writeFileSync(file, `${keys.join(',')}\n`);

describeOnRedis(
  '6.2',
  'the seal keys in a file',
  (redis) => {
    let stack: GatewayStack;
    let replica: Replica;
    const env = {
      TOKEN_SEAL_KEYS: '',
      TOKEN_SEAL_KEYS_FILE: file,
      // Soon again where a key was missing for a moment.
      IDP_TIMEOUT_MS: '2000',
      REFRESH_RETRY_AFTER: '2001',
    };
    beforeAll(async () => {
      write(first);
      stack = await startGatewayStack(redis(), env);
      replica = await startReplica(redis(), stack, env);
    });
    afterAll(async () => {
      await Promise.all([replica.close(), stack.close()]);
      rmSync(folder, { recursive: true });
    });

    const admin = () => redis().admins[0];
    const kidOf = async (browser: BrowserJar): Promise<unknown> => {
      const sealed = await admin()?.hget(sessionOf(browser, stack.origin).key, 'tokens');
      return decodeProtectedHeader(sealed ?? '').kid;
    };
    /** Written, and in force on both replicas. */
    const rotate = async (...keys: string[]): Promise<void> => {
      write(...keys);
      const kids = keys.map((key) => key.slice(0, 2));
      for (const { managementOrigin } of [stack, replica]) {
        await until(async () => {
          const { text } = await exchange(`${managementOrigin}/metrics`);
          const found = [...text.matchAll(/^gateway_seal_keys\{kid="(..)",use="(\w+)"\} 1$/gm)];
          return found.map(([, kid]) => kid).join() === kids.join() && found[0]?.[2] === 'seals';
        });
      }
    };
    const rekey = (): Promise<{ code: number | null; out: string }> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [gatewayBinary, 'rekey'], {
          env: {
            ...gatewayEnv(stack.origin, stack.idp.issuer, stack.permissions.url),
            ...env,
            REDIS_URL: redis().servers[0]?.url(users.writer) ?? '',
            LOG_LEVEL: 'silent',
          },
        });
        let out = '';
        child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
        child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
        child.once('close', (code) => resolve({ code, out }));
      });
    const rejected = () => metric(stack.managementOrigin, 'gateway_seal_keys_rejected');

    it('are rotated three times, resealed and taken out, and nobody is logged out', async () => {
      const browsers = await Promise.all(Array.from({ length: 5 }, () => stack.login()));
      const [watched] = browsers;
      if (watched === undefined) throw new Error('no login');
      const statuses = new Set<number>();
      const done = new AbortController();
      const traffic = (async () => {
        while (!done.signal.aborted) {
          for (const origin of [stack.origin, replica.origin]) {
            statuses.add((await heartbeat(origin, sessionOf(watched, stack.origin))).status);
          }
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      expect(await kidOf(watched)).toBe('k1');

      // A new key opens everywhere before it seals anywhere (ATTACKS 32).
      await rotate(first, second);
      await rotate(second, first);
      expect(await kidOf(watched)).toBe('k1');
      const [once, again] = [await rekey(), await rekey()];
      expect([once.code, again.code]).toEqual([0, 0]);
      expect(once.out).toMatch(/Sealed by k2: [1-9][0-9]* now, [0-9]+ before\. .*ring: 0\./);
      expect(again.out).toMatch(/Sealed by k2: 0 now, [1-9][0-9]* before\. .*ring: 0\./);
      for (const browser of browsers) expect(await kidOf(browser)).toBe('k2');

      await rotate(second);
      done.abort();
      await traffic;
      expect([...statuses]).toEqual([200]);
      for (const browser of browsers) {
        const session = sessionOf(browser, stack.origin);
        await expireTokens(admin(), session);
        expect((await postRefresh(stack.origin, session)).status).toBe(200);
      }
      const logout = await watched.visit(`${stack.origin}/logout`);
      // Only whoever opens the tokens has it.
      expect(logout.headers.location).toContain('id_token_hint=');
    });

    it('that are not usable change nothing, and say so once; the next good file counts', async () => {
      const browser = await stack.login();
      for (const [bad, why] of [
        ['k9:short', 'entry 1 is not'],
        ['', 'entry 1 is not'],
        [`${second},${second}`, 'a kid occurs twice'],
      ] as const) {
        const before = stack.log().split(why).length;
        writeFileSync(file, bad);
        await until(() => stack.log().split(why).length > before);
        expect(await rejected()).toBe(1);
        const session = sessionOf(browser, stack.origin);
        await expireTokens(admin(), session);
        expect((await postRefresh(stack.origin, session)).status).toBe(200);
      }
      rmSync(file);
      await until(() => stack.log().includes('the file cannot be read (ENOENT)'));
      write(second);
      await until(async () => (await rejected()) === 0);
      await rotate(third, second);
      expect(stack.log()).not.toContain(third.slice(3));
    });

    it('reg-A32: that no longer open a session leave it alone: a 503, and rekey says so', async () => {
      const browser = await stack.login();
      await rotate(first);
      const session = sessionOf(browser, stack.origin);
      await expireTokens(admin(), session);
      expect((await postRefresh(stack.origin, session)).status).toBe(503);
      const { code, out } = await rekey();
      expect(code).toBe(1);
      expect(out).toContain('put the key that sealed them back');
      await rotate(first, third);
      const version = await tokenVersion(admin(), session);
      await until(async () => {
        expect((await heartbeat(stack.origin, session)).status).toBe(200);
        return (await tokenVersion(admin(), session)) > version;
      });
    });
  },
  { appendOnly: true },
);
