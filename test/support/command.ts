import { spawn } from 'node:child_process';
import {
  gatewayBinary,
  gatewayEnv,
  writerEnv,
  type GatewayStack,
  type RedisPlace,
} from './gateway.js';

export interface CommandRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The settings of a stack's gateway, for a command beside it. */
export function settingsOf(stack: GatewayStack, redis: RedisPlace): Record<string, string> {
  return {
    ...gatewayEnv(stack.origin, stack.idp.issuer, stack.permissions.url),
    ...writerEnv(redis),
  };
}

/** The built gateway as a command with this environment and no other, until it ends. */
export function runCommand(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<CommandRun> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [gatewayBinary, ...args], { env });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.once('close', (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    );
  });
}
