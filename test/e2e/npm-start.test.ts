import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { freePorts, portTable, type PortName, type Ports } from '@sallyport/demo/ports';
import { isTaken } from '@sallyport/demo/readiness';
import { processesUnder, isAlive } from '../support/processes.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

const launcher = join(import.meta.dirname, '../../demo/dist/main.js');

interface Launcher {
  readonly pid: number;
  readonly output: () => string;
  readonly exitCode: Promise<number | null>;
}

describe('npm start', () => {
  const started: Launcher[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-npm-start-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  afterEach(async () => {
    for (const { pid, exitCode } of started.splice(0)) {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL');
      await exitCode;
    }
  });

  function launch(args: readonly string[], env: Record<string, string> = {}): Launcher {
    const child = spawn(process.execPath, [launcher, ...args], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const exitCode = new Promise<number | null>((resolve) => child.once('close', resolve));
    const running = { pid: child.pid ?? 0, output: () => output, exitCode };
    started.push(running);
    return running;
  }

  async function launchReady(): Promise<{ launcher: Launcher; ports: Ports; parts: number[] }> {
    const ports = await freePorts();
    const names = Object.keys(ports) as PortName[];
    const env = Object.fromEntries(names.map((name) => [portTable[name][2], String(ports[name])]));
    const launcher = launch([], env);
    await until(() => launcher.output().includes('Ctrl-C'));
    return { launcher, ports, parts: processesUnder(launcher.pid) };
  }

  async function expectNothingLeft(ports: Ports, parts: readonly number[]): Promise<void> {
    await until(() => !parts.some(isAlive));
    // A killed process may hold its sockets a moment longer, while its threads are cleared away.
    await until(async () => {
      const taken = await Promise.all(Object.values(ports).map((port) => isTaken(port)));
      return !taken.includes(true);
    });
  }

  it.each(['--http', '--grpc'])('%s --smoke walks through it all and exits 0', async (mode) => {
    const { output, exitCode } = launch([mode, '--smoke']);
    expect({ code: await exitCode, output: output() }).toEqual({
      code: 0,
      output: expect.stringMatching(/ok[\s\S]*All well/),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('stops everything on SIGINT and exits 0', async () => {
    const { launcher, ports, parts } = await launchReady();
    expect(parts.length).toBeGreaterThanOrEqual(8);
    process.kill(launcher.pid, 'SIGINT');
    expect(await launcher.exitCode).toBe(0);
    await expectNothingLeft(ports, parts);
    // Of the run's folder only the logs: the rest held its secrets.
    const [run = ''] = readdirSync(folder);
    expect(readdirSync(join(folder, run))).toEqual(['logs']);
  });

  it('names a part that died, stops the others and exits 1', async () => {
    const { launcher, ports, parts } = await launchReady();
    const victim = parts.find((pid) => processesUnder(launcher.pid, 'extauthz/').includes(pid));
    process.kill(victim ?? 0, 'SIGKILL');
    expect(await launcher.exitCode).toBe(1);
    expect(launcher.output()).toContain('extauthz ended (SIGKILL)');
    await expectNothingLeft(ports, parts);
  });

  it('leaves nothing behind when it is killed itself', async () => {
    const { launcher, ports, parts } = await launchReady();
    process.kill(launcher.pid, 'SIGKILL');
    await launcher.exitCode;
    await expectNothingLeft(ports, parts);
  });

  it('names a taken port and the variable that changes it, and starts nothing', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    const { output, exitCode } = launch([], { DEMO_IDP_PORT: String(port) });
    const code = await exitCode;
    holder.close();
    expect(code).toBe(1);
    expect(output()).toContain(`Port ${String(port)} (identity provider) is already in use`);
    expect(output()).toContain('DEMO_IDP_PORT=');
    expect(output()).not.toContain('starting');
  });

  it.each([['--nope'], ['--http', '--grpc'], ['extra']])('refuses %s %s', async (...args) => {
    const { output, exitCode } = launch(args.filter(Boolean));
    expect(await exitCode).toBe(2);
    expect(output()).toContain('--smoke');
  });
});
