import type { Config } from '../config.js';
import { outboundCall } from '../http/outbound-call.js';
import { discover } from '../oidc/discovery.js';
import type { IdentityProviderError } from '../oidc/identity-provider-error.js';
import { idpFetch } from '../oidc/idp-fetch.js';
import type { IdpRegistration } from '../oidc/idp-registration.js';
import { failed, ok, type Finding } from './finding.js';

/** Each provider's discovery document, read and held against its registration. */
export function idpFindings({ idps }: Pick<Config, 'idps'>): Promise<Finding[]> {
  return Promise.all(idps.map(idpFinding));
}

async function idpFinding(registration: IdpRegistration): Promise<Finding> {
  const about = `provider ${registration.id}`;
  try {
    await discover(registration, idpFetch());
    return ok(about, 'its discovery document was read and fits the registration');
  } catch (error) {
    const { code, detail, explanation } = error as IdentityProviderError;
    const todo =
      code === 'idp_unreachable'
        ? 'Can this machine reach it? Logins fail meanwhile, sessions live on.'
        : 'Correct IDP_* (or its entry in IDP_REGISTRATIONS_FILE), or its registration there.';
    return failed(about, explanation ?? detail, todo);
  }
}

/** Whether anything answers there. Nobody's roles are asked for: that might make a user. */
export async function permissionServiceFinding({
  permissionServiceUrl: url,
  permissionTimeout: timeout,
}: Pick<Config, 'permissionServiceUrl' | 'permissionTimeout'>): Promise<Finding> {
  const about = 'permission service';
  if (url === undefined) return ok(about, 'not needed: all roles come from claims');
  const todo = 'Is it running at PERMISSION_SERVICE_URL? Logins fail meanwhile.';
  try {
    const { status } = await outboundCall(url, { timeout }, 64 * 1024);
    return status >= 500
      ? failed(about, `answers ${status}`, todo)
      : ok(about, `answers (${status} at its base address, where nothing need be)`);
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    // So large an answer is an answer.
    if (code === 'body_too_large') return ok(about, 'answers');
    return failed(about, `gives no answer (${code ?? name})`, todo);
  }
}
