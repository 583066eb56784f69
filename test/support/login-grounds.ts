import { systemClock } from '@sallyport/shared';
import { idpParts } from '../../session-gateway/src/idp-parts.js';
import type { IdentityProvider } from '../../session-gateway/src/oidc/identity-provider.js';
import type { IdpRegistration } from '../../session-gateway/src/oidc/idp-registration.js';
import { PermissionClient } from '../../session-gateway/src/permissions/permission-client.js';
import { startGatewayStack } from './gateway.js';
import { idpClient, startIdp, type TestIdp } from './idp.js';
import { startInProcessGateway } from './in-process-gateway.js';
import {
  answerJson,
  startPermissionService,
  type TestPermissionService,
} from './permission-service.js';
import { users, type TestRedis } from './redis.js';

export type Side = 'A' | 'B';
export const sides: readonly Side[] = ['A', 'B'];
/** As the provider and as `/user` know them. */
export const person = (side: Side): string => `person-${side}`;

/** A gateway with two real providers around it, and where each of two people logs in. */
export interface LoginGround {
  readonly name: string;
  readonly origin: string;
  /** What redirect URIs begin with. */
  readonly publicOrigin: string;
  readonly places: readonly { readonly id: string; readonly idp: TestIdp }[];
  /** The place of each. */
  readonly home: Readonly<Record<Side, number>>;
  close(): Promise<void>;
}

/** The built gateway. The second provider is one that it never heard of. */
export async function oneRegistration(redis: TestRedis): Promise<LoginGround> {
  const stack = await startGatewayStack(redis);
  answerForEach(stack.permissions);
  const foreign = await providerFor(stack.origin, 'other');
  return {
    name: 'one-registration',
    origin: stack.origin,
    publicOrigin: stack.origin,
    places: [
      { id: 'idp', idp: stack.idp },
      { id: 'other', idp: foreign },
    ],
    home: { A: 0, B: 0 },
    close: async () => {
      await stack.close();
      await foreign.close();
    },
  };
}

/** The gateway's parts in this process, with both providers registered: each could be the attacker's. */
export async function twoRegistrations(redis: TestRedis): Promise<LoginGround> {
  const publicOrigin = 'http://localhost:8443';
  const ids = ['one', 'two'];
  const idps = await Promise.all(ids.map((id) => providerFor(publicOrigin, id)));
  const service = await startPermissionService();
  answerForEach(service);
  const gateway = await startInProcessGateway({
    redis: await redis.connect(users.writer),
    publicOrigin,
    permissions: new PermissionClient({ baseUrl: service.url, timeout: 10_000 }),
    clock: systemClock,
    idps: idps.map(({ issuer }, at) =>
      registeredProvider({
        id: ids[at] ?? '',
        issuer,
        clientId: idpClient.id,
        clientSecret: idpClient.secret,
        ...{ par: false, jar: false, dpop: false },
        callbackPath: '/login/oauth2/code/{idp}',
        scopes: 'openid profile email offline_access',
        logoutReturnTo: publicOrigin,
        strictLogoutTokens: true,
        revokeTokens: 'logout',
        timeout: 10_000,
        userInfoOnRefresh: false,
      }),
    ),
  });
  return {
    name: 'two-registrations',
    origin: gateway.origin,
    publicOrigin,
    places: idps.map((idp, at) => ({ id: ids[at] ?? '', idp })),
    home: { A: 0, B: 1 },
    close: async () => {
      await gateway.close();
      await Promise.all([service.close(), ...idps.map((idp) => idp.close())]);
    },
  };
}

function providerFor(publicOrigin: string, id: string): Promise<TestIdp> {
  return startIdp({
    redirectUris: [`${publicOrigin}/login/oauth2/code/${id}`],
    postLogoutRedirectUris: [publicOrigin],
  });
}

/** Everybody is who the provider says, so that a session shows whose login it came from. */
function answerForEach(service: TestPermissionService): void {
  service.answer = (request, response) => {
    const [, userId = ''] = /users\/([^/]+)\/permissions/.exec(request.url ?? '') ?? [];
    answerJson(200, { userId, roles: [], permissions: [] })(request, response);
  };
}

function registeredProvider(registration: IdpRegistration): IdentityProvider {
  const { idps } = idpParts({
    config: { idps: [registration], defaultIdp: registration.id, idpMetadataRefresh: 3_600_000 },
    events: { metadataRead: () => undefined, keysFetched: () => undefined },
    observe: () => () => undefined,
    clock: systemClock,
  });
  const [provider] = idps.values();
  if (provider === undefined) throw new Error('no provider');
  return provider;
}
