import { mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { banner } from './banner.js';
import { helpText, readCommandLine, type Command } from './command-line.js';
import { interruption } from './interruption.js';
import { fixedPorts, freePorts, requireFree, type Ports } from './ports.js';
import { runSmoke } from './smoke.js';
import { smokeSteps } from './smoke/steps.js';
import { startStack, type Stack, type StackProgress } from './stack.js';

async function main(): Promise<number> {
  const command = readCommandLine(process.argv.slice(2));
  switch (command.kind) {
    case 'help':
      console.log(helpText());
      return 0;
    case 'refused':
      console.error(`${command.reason}\n\n${helpText()}`);
      return 2;
    case 'run':
      return run(command);
  }
}

async function run(command: Command & { kind: 'run' }): Promise<number> {
  const interrupted = interruption();
  const ports = await choosePorts(command.smoke);
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-'));
  const { mode } = command;
  const logLevel = process.env['LOG_LEVEL'] ?? 'info';
  console.log(`starting, logs in ${join(directory, 'logs')}\n`);
  let stack: Stack | undefined;
  let keep = ['logs'];
  try {
    const { signal } = interrupted;
    stack = await startStack({ mode, ports, directory, logLevel, progress: printed, signal });
    if (!command.smoke) return await serve(stack, interrupted.settled);
    const passed = await smoke(stack);
    keep = passed ? [] : ['logs'];
    return passed ? 0 : 1;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    console.error('\nstopped before it was ready');
    return 130;
  } finally {
    await stack?.stop();
    // All but the logs holds this run's secrets and sessions.
    removeAllBut(keep, directory);
  }
}

function removeAllBut(kept: readonly string[], directory: string): void {
  for (const name of readdirSync(directory).filter((entry) => !kept.includes(entry))) {
    rmSync(join(directory, name), { recursive: true });
  }
  if (kept.length === 0) rmdirSync(directory);
}

async function choosePorts(smoke: boolean): Promise<Ports> {
  if (smoke) return freePorts();
  const ports = fixedPorts(process.env);
  await requireFree(ports);
  return ports;
}

async function serve(stack: Stack, interrupted: Promise<string>): Promise<number> {
  console.log(banner(stack, performance.now() / 1000));
  const death = await Promise.race([stack.firstDeath, interrupted]);
  if (typeof death === 'string') {
    console.log(`\n${death}: stopping everything…`);
    return 0;
  }
  console.error(`\n${death.name} ended (${death.how}); its last lines:`);
  for (const line of death.lastLines) console.error(`    ${line}`);
  console.error(`Stopping everything. The logs stay in ${stack.logDirectory}`);
  return 1;
}

async function smoke(stack: Stack): Promise<boolean> {
  console.log(`\nSmoke test at ${stack.origin}, ext_authz over ${stack.mode}\n`);
  const passed = await runSmoke(smokeSteps(stack.origin), (line) => console.log(line));
  console.log(passed ? '\nAll well.' : `\nFAILED. The logs stay in ${stack.logDirectory}`);
  return passed;
}

const printed: StackProgress = {
  waiting: (part, what) => console.log(`  ${part.padEnd(20)} ${what}`),
  ready: (part, milliseconds) =>
    console.log(`  ${part.padEnd(20)} ready after ${(milliseconds / 1000).toFixed(1)} s`),
};

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
}
