import {
  ConfigError,
  Counter,
  Gauge,
  openLineFile,
  type LineFile,
  type Logger,
  type Registry,
} from '@sallyport/shared/runtime';
import type { Config } from './config.js';
import { parseSealKeys } from './config-rules.js';
import type { SealKey } from './sealing/key-ring.js';
import { sealKeyWatch, type SealKeyWatch } from './sealing/seal-key-watch.js';

/**
 * Where audit events go. SIGHUP opens the file anew, for whoever rotates it. An event that cannot be
 * written is counted and logged, and stops nobody: a full disk must not log everybody out.
 * @throws ConfigError if the file cannot be opened
 */
export function openAuditFile(config: Config, registry: Registry, logger: Logger): LineFile {
  const failures = new Counter({
    name: 'gateway_audit_failures_total',
    help: 'Audit events that could not be written',
    registers: [registry],
  });
  const failed = (error: Error): void => {
    failures.inc();
    const { code } = error as NodeJS.ErrnoException;
    logger.error({ reason: code ?? error.name }, 'an audit event could not be written');
  };
  try {
    const file = openLineFile(config.auditLogFile, failed);
    process.on('SIGHUP', () => {
      file.reopen();
      logger.info('audit log: opened anew');
    });
    return file;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unusable';
    throw new ConfigError([
      `AUDIT_LOG_FILE: the file cannot be opened (${reason}). Check the folder and its mode.`,
    ]);
  }
}

/** The key ring, kept as its file is. */
export function watchedSealKeys(config: Config, registry: Registry, logger: Logger): SealKeyWatch {
  const isBad = new Gauge({
    name: 'gateway_seal_keys_rejected',
    help: '1 while the file of the seal keys is not usable and the last good ring is in force',
    registers: [registry],
  });
  isBad.set(0);
  const inForce = new Gauge({
    name: 'gateway_seal_keys',
    help: 'Keys of the ring in force, by kid: the one that seals, and those that only open',
    labelNames: ['kid', 'use'],
    registers: [registry],
  });
  const show = (keys: readonly SealKey[]): void => {
    inForce.reset();
    keys.forEach(({ kid }, at) => inForce.set({ kid, use: at === 0 ? 'seals' : 'opens' }, 1));
  };
  show(config.sealKeys);
  return sealKeyWatch({
    file: config.sealKeysFile,
    initial: config.sealKeys,
    read: (text) => {
      const { keys, problems } = parseSealKeys(text, config.devInsecure);
      const isShared = config.idps.some(
        ({ clientSecret }) => clientSecret !== undefined && text.includes(clientSecret),
      );
      return isShared
        ? { keys, problems: [...problems, 'holds the client secret.'] }
        : { keys, problems };
    },
    onGood: () => isBad.set(0),
    onReload: (keys) => {
      show(keys);
      const [first, ...others] = keys.map(({ kid }) => kid);
      logger.info({ seals: first, opens: others }, 'seal keys: a new ring is in force');
    },
    onBad: (problems) => {
      isBad.set(1);
      logger.error({ problems }, 'seal keys: the new file is not usable, the old ring stays');
    },
  });
}
