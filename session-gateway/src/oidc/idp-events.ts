import { Counter, type Logger, type Registry } from '@sallyport/shared/runtime';
import type { IdentityProviderError } from './identity-provider-error.js';

/** What the gateway learns of its identity providers. Labels only from fixed sets (ATTACKS 33). */
export interface IdpEvents {
  /**
   * `kept`: it failed or no longer fits, and the document read before is used on. `failed`: there is
   * none yet.
   */
  metadataRead(
    idp: string,
    outcome: 'first' | 'read' | 'kept' | 'failed',
    error?: IdentityProviderError,
  ): void;
  keysFetched(idp: string, outcome: 'read' | 'failed'): void;
}

export function createIdpEvents(registry: Registry, logger: Logger): IdpEvents {
  const documents = new Counter({
    name: 'gateway_idp_metadata_reads_total',
    help: 'Discovery documents asked for, by registration and outcome; kept: an older one is used on',
    labelNames: ['idp', 'outcome'],
    registers: [registry],
  });
  const keys = new Counter({
    name: 'gateway_idp_key_fetches_total',
    help: 'Key sets asked for, by registration and outcome',
    labelNames: ['idp', 'outcome'],
    registers: [registry],
  });
  return {
    metadataRead(idp, outcome, error) {
      documents.inc({ idp, outcome: outcome === 'first' ? 'read' : outcome });
      const { detail, explanation } = error ?? {};
      if (outcome === 'first') logger.info({ idp }, 'identity provider: ready');
      else if (outcome === 'kept') {
        logger.warn(
          { idp, detail, explanation },
          'identity provider: going on with what it said before',
        );
      } else if (outcome === 'failed') {
        logger.warn(
          { idp, detail, explanation },
          'identity provider: not usable now, will be asked again',
        );
      }
    },
    keysFetched(idp, outcome) {
      keys.inc({ idp, outcome });
      if (outcome === 'failed')
        logger.warn({ idp }, 'identity provider: its keys could not be read');
    },
  };
}
