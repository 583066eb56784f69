import { parseArgs } from 'node:util';
import { ConfigError, createLogger, Registry, runUntilSignal } from '@sallyport/shared/runtime';
import { loadConfig } from './config.js';
import { correlationFields } from './correlation.js';
import { rekeyCommand } from './rekey-command.js';
import { openAuditFile } from './running-parts.js';
import { assemble } from './assembly.js';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { 'check-config': { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [command, ...rest] = positionals;
  if ((command !== undefined && command !== 'rekey') || rest.length > 0) {
    throw new ConfigError(['the only command is rekey, without arguments.']);
  }
  const { config, warnings } = loadConfig();
  const logger = createLogger({
    name: 'session-gateway',
    level: config.logLevel,
    format: config.logFormat,
    context: correlationFields,
  });
  for (const warning of warnings) logger.warn(warning);
  if (config.devInsecure) process.stderr.write(insecureBanner);
  if (values['check-config']) {
    process.stdout.write('The configuration is good.\n');
    return 0;
  }
  if (command === 'rekey') return rekeyCommand(config, logger);
  const registry = new Registry();
  const auditFile = openAuditFile(config, registry, logger);
  return runUntilSignal(...assemble(config, logger, registry, auditFile));
}

const insecureBanner = `
  *** DEV_INSECURE=1: http and sample secrets are accepted. For a trial on this machine only. ***

`;

try {
  process.exitCode = await main();
} catch (error) {
  const text = error instanceof ConfigError ? error.message : String((error as Error).stack);
  process.stderr.write(`session-gateway: ${text}\n`);
  process.exitCode = 1;
}
