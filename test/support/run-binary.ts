import { spawn } from 'node:child_process';

/**
 * A built binary with this environment and no other, until it ends: its exit code and all it said.
 * One that was not refused, but is up, is ended then and has no code; so is one that waits for ever.
 */
export function runBinary(
  binary: string,
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly out: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [binary, ...args], {
      env,
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    let out = '';
    const heard = (chunk: Buffer): void => {
      out += chunk.toString();
      if (out.includes('"msg":"ready"')) child.kill('SIGKILL');
    };
    child.stdout.on('data', heard);
    child.stderr.on('data', heard);
    child.once('close', (code) => resolve({ code, out }));
  });
}
