import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mode } from '@sallyport/demo/envoy-process';
import { freePorts } from '@sallyport/demo/ports';
import { startStack, type Stack, type StackOptions } from '@sallyport/demo/stack';
import type { Answer } from '@sallyport/demo/web-client/exchange';
import { WebClient } from '@sallyport/demo/web-client/web-client';
import { Redis } from 'ioredis';

/** The demo's stack on free ports, with everything that must stay secret written down on the way. */
export interface TestStack extends Stack {
  /** A new person's browser. What passes through it is remembered as secret. */
  newClient(): WebClient;
  /** A connection that may see everything; closed with the stack. */
  admin(): Redis;
  /** Every secret of the run so far: name and value. */
  secretsSeen(): ReadonlyMap<string, string>;
  /** The text of every log file. */
  logs(): ReadonlyMap<string, string>;
}

export async function startTestStack(
  mode: Mode,
  extraEnv: StackOptions['extraEnv'] = {},
): Promise<TestStack> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
  const recordFile = join(directory, 'issued-by-the-idp');
  const nobody = (): void => undefined;
  const stack = await startStack({
    mode,
    ports: await freePorts(),
    directory,
    recordFile,
    extraEnv,
    progress: { waiting: nobody, ready: nobody },
    logLevel: 'debug',
  });
  const seen = new Map<string, string>();
  const admins: Redis[] = [];
  return {
    ...stack,
    newClient: () => new WebClient((answer) => rememberSecrets(answer, seen)),
    admin: () => {
      const { admin: password } = stack.secrets.redis;
      const admin = new Redis({ port: stack.redis.port, username: 'admin', password });
      admins.push(admin);
      return admin;
    },
    secretsSeen: () => {
      rememberIssued(recordFile, seen);
      seen.set('client secret', stack.secrets.clientSecret);
      seen.set('seal key', stack.secrets.sealKey);
      for (const [user, password] of Object.entries(stack.secrets.redis)) {
        seen.set(`Redis password of ${user}`, password);
      }
      return seen;
    },
    logs: () => readLogs(stack),
    stop: async () => {
      for (const admin of admins) admin.disconnect();
      await stack.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

/** What a browser sees of a login: cookies, and the parameters of the URLs it is sent to. */
function rememberSecrets(answer: Answer, seen: Map<string, string>): void {
  const { location, 'set-cookie': cookies = [] } = answer.headers;
  const urls = [answer.url, ...(typeof location === 'string' ? [location] : [])];
  for (const url of urls.filter((text) => URL.canParse(text))) {
    for (const name of ['code', 'state', 'nonce', 'id_token_hint']) {
      remember(seen, name, new URL(url).searchParams.get(name));
    }
  }
  for (const cookie of cookies) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
    remember(seen, `cookie ${name}`, value);
  }
}

function rememberIssued(recordFile: string, seen: Map<string, string>): void {
  const secret = ['access_token', 'refresh_token', 'id_token', 'code', 'code_verifier'];
  for (const line of readFileSync(recordFile, 'utf8').trim().split('\n')) {
    for (const part of JSON.parse(line) as Record<string, unknown>[]) {
      for (const name of secret) remember(seen, name, part[name]);
    }
  }
}

function remember(seen: Map<string, string>, name: string, value: unknown): void {
  // Short ones are no secrets (an emptied cookie) and would be found by chance.
  if (typeof value !== 'string' || value.length < 12) return;
  seen.set(`${name} #${String(seen.size)}`, value);
}

function readLogs({ logDirectory, redis }: Stack): ReadonlyMap<string, string> {
  const files = readdirSync(logDirectory).map((name) => join(logDirectory, name));
  return new Map([...files, redis.logFile].map((file) => [file, readFileSync(file, 'utf8')]));
}
