import type { Clock } from '@sallyport/shared';
import type { Unit } from '@sallyport/shared/runtime';
import type { CallMetrics } from './call-metrics.js';
import type { Config } from './config.js';
import { noDocument } from './oidc/discovery.js';
import type { IdentityProviderError } from './oidc/identity-provider-error.js';
import { IdentityProvider } from './oidc/identity-provider.js';
import type { IdpEvents } from './oidc/idp-events.js';
import { idpFetch } from './oidc/idp-fetch.js';
import { ProviderMetadata } from './oidc/provider-metadata.js';

export interface IdpParts {
  readonly idps: ReadonlyMap<string, IdentityProvider>;
  readonly defaultIdp: IdentityProvider;
  /** Reads every provider's metadata, and again by a timer. */
  readonly unit: Unit;
}

/** The part of the composition that knows the identity providers; `main.ts` has the rest. */
export function idpParts(given: {
  readonly config: Pick<Config, 'idps' | 'defaultIdp' | 'idpMetadataRefresh'>;
  readonly events: IdpEvents;
  readonly observe: CallMetrics['idp'];
  readonly clock: Clock;
}): IdpParts {
  const { config, events, observe, clock } = given;
  const registered = config.idps.map((registration) => {
    const rereadEvery = config.idpMetadataRefresh;
    const timing = observe(registration.id);
    const metadata = new ProviderMetadata({
      registration,
      clock,
      events,
      fetch: idpFetch({ observe: timing }),
      provingFetch: idpFetch({
        observe: timing,
        certificate: () => registration.clientCertificate?.secureContext,
        timeout: registration.timeout,
      }),
      rereadEvery,
    });
    return { metadata, idp: new IdentityProvider({ registration, metadata, clock }) };
  });
  const idps = new Map(registered.map(({ idp }) => [idp.id, idp]));
  const defaultIdp = idps.get(config.defaultIdp);
  if (defaultIdp === undefined) throw new Error('no identity provider is registered');
  const unit: Unit = {
    name: 'identity provider metadata',
    start: async () => {
      const reads = await Promise.allSettled(registered.map(({ metadata }) => metadata.start()));
      const mistakes = reads.flatMap((read) => (read.status === 'rejected' ? mistake(read) : []));
      if (mistakes.length > 0) throw new Error(mistakes.join(' '));
    },
    stop: () => {
      for (const { metadata } of registered) metadata.stop();
      return Promise.resolve();
    },
  };
  return { idps, defaultIdp, unit };
}

/**
 * A document that contradicts the registration is a mistake of configuration, and the start is the time
 * to say so. A provider that is down, or shows a page in the document's place, stops nothing.
 */
function mistake({ reason }: PromiseRejectedResult): string[] {
  const { code, detail, explanation } = reason as IdentityProviderError;
  return code === 'idp_unsuitable' && detail !== noDocument ? [explanation ?? detail] : [];
}
