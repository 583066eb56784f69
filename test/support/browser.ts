import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createBrotliDecompress } from 'node:zlib';
import { findOnPath, isExecutable } from '@sallyport/demo/parts/executable';
import { cacheFolder } from '@sallyport/demo/parts/wheel';
import { chromium, type Browser } from 'playwright-core';

const run = promisify(execFile);

interface Executable {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A real Chromium, headless: `CHROMIUM_BIN`, PATH, or the one that comes with `npm ci`. */
export async function launchBrowser(): Promise<Browser> {
  const { path, env } = await findChromium();
  return chromium.launch({
    executablePath: path,
    headless: true,
    env: { ...(process.env as Record<string, string>), ...env },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

async function findChromium(): Promise<Executable> {
  const named = process.env['CHROMIUM_BIN'];
  if (named) return { path: named, env: {} };
  const onPath = await findOnPath(['chromium', 'chromium-browser', 'google-chrome']);
  return onPath === undefined ? chromiumOfPackage() : { path: onPath, env: {} };
}

/**
 * The package would unpack to a fixed path under /tmp, where a second process meets half a file and
 * anybody may have put one first. So it is unpacked here, once, into the cache, and moved in whole.
 */
async function chromiumOfPackage(): Promise<Executable> {
  const require = createRequire(import.meta.url);
  const packed = join(dirname(require.resolve('@sparticuz/chromium')), '../../bin');
  const folder = join(cacheFolder(), `chromium-147-${process.arch}`);
  const path = join(folder, 'chromium');
  if (!(await isExecutable(path))) await unpack(packed, folder);
  const env = { FONTCONFIG_FILE: join(folder, 'fonts.conf') };
  if (await starts(path, env)) return { path, env };
  // Only where the machine lacks them: its own are newer, and mixing is asking for trouble.
  return { path, env: { ...env, LD_LIBRARY_PATH: join(folder, 'lib') } };
}

async function unpack(packed: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(`${folder}-`);
  await pipeline(
    createReadStream(join(packed, 'chromium.br')),
    createBrotliDecompress(),
    createWriteStream(join(draft, 'chromium'), { mode: 0o700 }),
  );
  for (const archive of ['fonts', 'al2023']) {
    await unpackTar(join(packed, `${archive}.tar.br`), draft);
  }
  // Its own names fixed paths under /tmp.
  await writeFile(
    join(draft, 'fonts.conf'),
    `<fontconfig><dir>/usr/share/fonts</dir><dir>${folder}/fonts</dir>` +
      `<cachedir>${folder}/fonts-cache</cachedir></fontconfig>\n`,
  );
  try {
    await rename(draft, folder);
  } catch {
    // Another worker was faster; its copy is as good.
    await rm(draft, { recursive: true });
  }
}

/** By way of a file: fed by a pipe, tar may hang up before it has read the archive's padding. */
async function unpackTar(archive: string, folder: string): Promise<void> {
  const plain = join(folder, 'archive.tar');
  await pipeline(createReadStream(archive), createBrotliDecompress(), createWriteStream(plain));
  await run('tar', ['-x', '-f', plain, '-C', folder]);
  await rm(plain);
}

async function starts(path: string, env: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    await run(path, ['--version', '--no-sandbox'], { env: { ...process.env, ...env } });
    return true;
  } catch {
    return false;
  }
}
