import type { ObserveCall } from './call-metrics.js';
import type { Config } from './config.js';
import { GrantSources } from './permissions/grant-sources.js';
import { PermissionClient } from './permissions/permission-client.js';

/** The part of the composition that knows where roles come from; `main.ts` has the rest. */
export function grantSources(
  config: Pick<Config, 'idps' | 'permissionServiceUrl' | 'permissionTimeout'>,
  observe: ObserveCall,
): GrantSources {
  const { permissionServiceUrl: baseUrl, permissionTimeout: timeout } = config;
  const service =
    baseUrl === undefined ? undefined : new PermissionClient({ baseUrl, timeout, observe });
  const rules = config.idps.flatMap(({ id, claims }) =>
    claims === undefined ? [] : [[id, claims] as const],
  );
  return new GrantSources(service, new Map(rules));
}
