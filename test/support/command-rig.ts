import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals';
import { auditEvent } from '../../session-gateway/src/audit/audit-event.js';
import { BrowserJar } from './browser-jar.js';
import { runCommand, settingsOf, type CommandRun } from './command.js';
import { sealKeys, startGatewayStack, type GatewayStack } from './gateway.js';
import { answerJson, ordinaryGrants } from './permission-service.js';
import { records } from './redis-dump.js';
import { users, type TestRedis } from './redis.js';
import { heartbeat, sessionOf, type LiveSession } from './replicas.js';

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

/** A gateway with people logged in, and commands beside it; an empty Redis for each test. */
export interface CommandRig {
  readonly stack: GatewayStack;
  readonly settings: Readonly<Record<string, string>>;
  readonly run: (...args: readonly string[]) => Promise<CommandRun>;
  readonly login: (userId?: string) => Promise<BrowserJar>;
  readonly live: (browser: BrowserJar) => LiveSession;
  /** Of a heartbeat. */
  readonly statusOf: (browser: BrowserJar) => Promise<number>;
  /** As `session list` prints them. */
  readonly refsOf: (userId: string) => Promise<string[]>;
  /** What the commands have written to the audit log. */
  readonly audit: () => unknown[];
  /** No cookie, no handle, no token (open or sealed), no key, no password. */
  readonly expectNoSecret: (text: string) => Promise<void>;
}

export function commandRig(redis: () => TestRedis): () => CommandRig {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-command-'));
  const auditFile = join(folder, 'audit.log');
  let rig: CommandRig | undefined;
  beforeAll(async () => {
    rig = rigOn(redis(), await startGatewayStack(redis()), auditFile);
  });
  afterAll(async () => {
    await rig?.stack.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    for (const admin of redis().admins) await admin.flushall();
    rig?.stack.permissions.recover();
    rmSync(auditFile, { force: true });
  });
  return () => {
    if (rig === undefined) throw new Error('the rig is there only inside a test');
    return rig;
  };
}

function rigOn(redis: TestRedis, stack: GatewayStack, auditFile: string): CommandRig {
  const settings = { ...settingsOf(stack, redis), AUDIT_LOG_FILE: auditFile };
  const rig: CommandRig = {
    stack,
    settings,
    run: (...args) => runCommand(settings, ...args),
    login: async (userId = 'user-7') => {
      stack.permissions.answer = answerJson(200, { ...ordinaryGrants, userId });
      const browser = new BrowserJar();
      await browser.visit(await stack.beginLogin(browser), {
        site: 'cross-site',
        headers: [
          ['User-Agent', firefox],
          ['X-Forwarded-For', '203.0.113.77'],
        ],
      });
      return browser;
    },
    live: (browser) => sessionOf(browser, stack.origin),
    statusOf: async (browser) => (await heartbeat(stack.origin, rig.live(browser))).status,
    refsOf: async (userId) => {
      const { out } = await rig.run('session', 'list', '--user', userId, '--json');
      return (JSON.parse(out) as { sessions: { ref: string }[] }).sessions.map(({ ref }) => ref);
    },
    audit: () => {
      const lines = readFileSync(auditFile, 'utf8').trim().split('\n');
      return lines.map((line) => auditEvent.parse(JSON.parse(line)));
    },
    expectNoSecret: async (text) => {
      const secrets = new Set([...stack.idp.issued, users.writer.password, sealKeys.slice(3, 46)]);
      for (const { key, value } of await records(redis)) {
        const [handle] = /[A-Za-z0-9_-]{43}/.exec(key) ?? [];
        const { tokens } = value as { tokens?: string };
        for (const secret of [handle, tokens]) if (secret !== undefined) secrets.add(secret);
      }
      expect(secrets.size).toBeGreaterThan(5);
      expect([...secrets].filter((secret) => text.includes(secret))).toEqual([]);
      // Whatever is so long is an id, a handle, a token or a key.
      expect(text).not.toMatch(/[A-Za-z0-9_-]{43}/);
    },
  };
  return rig;
}
