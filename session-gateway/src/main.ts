import { createLogger, Registry, runUntilSignal } from '@sallyport/shared/runtime';
import { parseCommandLine } from './cli/command-line.js';
import { terminalLogger } from './cli/terminal.js';
import { usage } from './cli/usage.js';
import { loadConfig } from './config.js';
import { openAuditFile } from './running-parts.js';

/** What only some commands need they import when they run: who has a bad setting waits for none of it. */
async function main(): Promise<number> {
  const line = parseCommandLine(process.argv.slice(2));
  if (line.command === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (line.command === 'doctor') {
    const { doctor } = await import('./cli/doctor.js');
    return doctor(line.json);
  }
  const { config, warnings } = loadConfig();
  const logger =
    line.command === 'session'
      ? terminalLogger(config.logLevel)
      : createLogger({
          name: 'session-gateway',
          level: config.logLevel,
          format: config.logFormat,
        });
  for (const warning of warnings) logger.warn(warning);
  if (config.devInsecure) process.stderr.write(insecureBanner);
  switch (line.command) {
    case 'check-config':
      process.stdout.write('The configuration is good.\n');
      return 0;
    case 'rekey': {
      const { rekeyCommand } = await import('./rekey-command.js');
      return rekeyCommand(config, logger);
    }
    case 'session': {
      const { sessionCommand } = await import('./cli/session-command.js');
      await sessionCommand(line.session, config, logger);
      return 0;
    }
    case 'serve': {
      const { assemble } = await import('./assembly.js');
      const registry = new Registry();
      const auditFile = openAuditFile(config, registry, logger);
      return runUntilSignal(...assemble(config, logger, registry, auditFile));
    }
  }
}

const insecureBanner = `
  *** DEV_INSECURE=1: http and sample secrets are accepted. For a trial on this machine only. ***

`;

/** Errors whose message is meant for the person who reads it. */
const meantForPeople = new Set(['bad_config', 'bad_usage', 'command_failed']);

try {
  process.exitCode = await main();
} catch (error) {
  const { code, message, stack } = error as NodeJS.ErrnoException;
  const text = meantForPeople.has(code ?? '') ? message : String(stack);
  process.stderr.write(`session-gateway: ${text}\n`);
  if (code === 'bad_usage') process.stderr.write(`\n${usage}`);
  process.exitCode = code === 'bad_usage' ? 2 : 1;
}
