import { spawn } from 'node:child_process';
import { gatewayBinary } from './gateway.js';

/** The built gateway until it ends by itself. */
export function runToItsEnd(
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [gatewayBinary, ...args], { env });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
    // One that does not give up by itself must not outlive the test.
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 90_000);
    child.once('close', (code) => {
      clearTimeout(giveUp);
      resolve({ code, out });
    });
  });
}
