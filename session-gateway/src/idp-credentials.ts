import { readFile } from 'node:fs/promises';
import { hashParts } from '@sallyport/shared';
import {
  ConfigError,
  Gauge,
  type Logger,
  type Registry,
  type Unit,
} from '@sallyport/shared/runtime';
import { loadConfig, type Config } from './config.js';
import type { IdentityProvider } from './oidc/identity-provider.js';
import { credentialsOf, sameCredentials, type IdpRegistration } from './oidc/idp-registration.js';

const interval = 1000;

export interface IdpCredentialsOptions {
  readonly config: Pick<Config, 'idps' | 'idpSecretFiles'>;
  readonly idps: ReadonlyMap<string, Pick<IdentityProvider, 'renewCredentials'>>;
  readonly registry: Registry;
  readonly logger: Logger;
}

/**
 * Keeps client secrets, private keys and certificates as their files are. Read every second rather than watched, as
 * the seal keys are. What a start would refuse changes nothing, and says so once.
 */
export function watchedIdpCredentials(options: IdpCredentialsOptions): Unit {
  const { config, logger } = options;
  const isBad = rejectedGauge(options.registry);
  showCertificateEnds(config.idps, options.registry);
  let seen: string | undefined;
  let told = '';
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const take = (): void => {
    const problems = renewAll(options);
    const text = problems.join('\n');
    isBad.set(text === '' ? 0 : 1);
    if (text !== '' && text !== told) {
      logger.error(
        { problems },
        'identity provider: the new credentials are not usable, the old ones stay',
      );
    }
    told = text;
  };

  const look = async (): Promise<void> => {
    const now = await digestOf(config.idpSecretFiles);
    // Again while it is not usable: the reason may lie in another setting's file.
    if (now !== seen || told !== '') take();
    seen = now;
    if (!stopped) timer = setTimeout(() => void look(), interval).unref();
  };

  return {
    name: 'identity provider credentials',
    start: () => (config.idpSecretFiles.length === 0 ? Promise.resolve() : look()),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      return Promise.resolve();
    },
  };
}

function rejectedGauge(registry: Registry): Gauge {
  const gauge = new Gauge({
    name: 'gateway_idp_credentials_rejected',
    help: '1 while files of client secrets, private keys or certificates are not usable and the last good ones are in force',
    registers: [registry],
  });
  gauge.set(0);
  return gauge;
}

/** A certificate that runs out ends logins and refreshes there: somebody must be told before. */
function showCertificateEnds(idps: readonly IdpRegistration[], registry: Registry): void {
  new Gauge({
    name: 'gateway_idp_certificate_end_timestamp_seconds',
    help: 'Until when the client certificate in force at an identity provider is good, epoch seconds',
    labelNames: ['idp'],
    registers: [registry],
    collect() {
      for (const { id, clientCertificate } of idps) {
        if (clientCertificate !== undefined) {
          this.set({ idp: id }, Math.floor(clientCertificate.notAfter / 1000));
        }
      }
    },
  });
}

/** To see that something has changed without keeping it. */
async function digestOf(files: readonly string[]): Promise<string> {
  const texts = files.map((file) =>
    readFile(file, 'utf8').catch(
      (error: unknown) => `\0${String((error as { code?: unknown }).code)}`,
    ),
  );
  return hashParts(...(await Promise.all(texts)));
}

/** @returns every reason why credentials are not taken */
function renewAll({ config, idps, logger }: IdpCredentialsOptions): readonly string[] {
  let found: readonly IdpRegistration[];
  try {
    // All that a start would judge: a secret that two parts share is refused now as well.
    found = loadConfig().config.idps;
  } catch (error) {
    return error instanceof ConfigError ? error.problems : ['The settings cannot be read.'];
  }
  return config.idps.flatMap((held) => {
    const next = found.find((one) => isSameClient(one, held));
    if (next === undefined || sameCredentials(next, held)) return [];
    const objections = idps.get(held.id)?.renewCredentials(credentialsOf(next)) ?? [];
    if (objections.length === 0) {
      logger.info({ idp: held.id }, 'identity provider: new credentials are in force');
    }
    return objections.map((sentence) => `${held.id}: ${sentence}`);
  });
}

/** Any other change of a registration waits for a restart, and its credentials with it. */
function isSameClient(one: IdpRegistration, other: IdpRegistration): boolean {
  return (['id', 'issuer', 'clientId', 'clientAuthentication', 'idTokenAlgorithm'] as const).every(
    (name) => one[name] === other[name],
  );
}
