import type { RequestListener } from 'node:http';
import type { BlockList } from 'node:net';
import type { Clock } from '@sallyport/shared';
import type { Health } from '@sallyport/shared/runtime';
import express, { type RequestHandler } from 'express';
import type { Events } from './events.js';
import { correlate } from './http/correlate.js';
import { errorHandler, notFound } from './http/error-handler.js';
import { inTurn } from './http/in-turn.js';
import type { Limits } from './http/limits.js';
import { onlyNavigations } from './http/only-navigations.js';
import { clearCookiesPath } from './http/pages.js';
import { requestLog } from './http/request-log.js';
import { securityHeaderPairs, securityHeaders } from './http/security-headers.js';
import { sendJson } from './http/send-answer.js';
import type { SessionCookies } from './http/session-cookies.js';
import { sessionReads, takeOver, type SessionRead } from './http/session-reads.js';
import type { AuthorizationRequestStore } from './oidc/authorization-request-store.js';
import type { IdentityProvider } from './oidc/identity-provider.js';
import type { PermissionClient } from './permissions/permission-client.js';
import { backchannelLogout, refuseLogoutToken } from './routes/backchannel-logout.js';
import { callback, lateCallback } from './routes/callback.js';
import { clearCookies, offerClearCookies } from './routes/clear-cookies.js';
import { devices, endDevice } from './routes/devices.js';
import { health } from './routes/health.js';
import { heartbeat } from './routes/heartbeat.js';
import { login, signin } from './routes/login.js';
import { logout, logoutPage } from './routes/logout.js';
import { findRefreshed, refresh, refuseForeignRefresh } from './routes/refresh.js';
import { session } from './routes/session.js';
import { user } from './routes/user.js';
import type { DeviceRef } from './sessions/device-ref.js';
import type { LogoutTokenLog } from './sessions/logout-token-log.js';
import type { PermissionPushes } from './sessions/permission-pushes.js';
import type { Revocations } from './sessions/revocations.js';
import type { SessionLifecycle } from './sessions/session-lifecycle.js';
import type { SessionUse } from './sessions/session-use.js';

/** Everything the routes may touch. */
export interface AppParts {
  readonly publicOrigin: string;
  readonly idpOrigins: readonly string[];
  readonly idps: ReadonlyMap<string, IdentityProvider>;
  readonly defaultIdp: IdentityProvider;
  readonly requests: AuthorizationRequestStore;
  readonly permissions: Pick<PermissionClient, 'grantsOf'>;
  readonly sessions: SessionLifecycle;
  readonly revocations: Revocations;
  readonly deviceRef: DeviceRef;
  readonly pushes: PermissionPushes;
  readonly logoutTokens: LogoutTokenLog;
  readonly trustedProxies: BlockList;
  readonly use: SessionUse;
  readonly confirmCrossSite: boolean;
  readonly limits: Limits;
  readonly cookies: SessionCookies;
  readonly health: Health;
  readonly clock: Clock;
  readonly events: Events;
}

/** The gateway's HTTP face, in the order a request meets it. */
export function createApp(parts: AppParts): RequestListener {
  const app = express();
  const headers = securityHeaderPairs(parts);
  const reads = readsOf(parts);
  app.disable('x-powered-by');
  app.disable('etag');
  // Nothing is decided by an address or a forwarded scheme: PUBLIC_ORIGIN is a setting.
  app.set('trust proxy', false);
  app.set('query parser', false);
  // Envoy routes exact paths; a second spelling of one would be a second address.
  app.set('case sensitive routing', true);
  app.set('strict routing', true);

  // As one: every layer of express's router is asked for every request.
  app.use(inTurn(correlate, requestLog(parts.events), securityHeaders(headers), takeOver));
  app.get('/actuator/health', health(parts.health));
  const { limits } = parts;
  // Before any look at a cookie: the caller is the provider.
  app.post(
    '/auth/backchannel-logout',
    backchannelLogout(parts),
    ...limits.badLogoutToken,
    refuseLogoutToken(),
  );
  // The way out for a browser that the next line refuses.
  app.get(clearCookiesPath, offerClearCookies());
  app.post(clearCookiesPath, clearCookies(parts));
  app.use(parts.cookies.refuseTwo());
  for (const [path, read] of reads) app.get(path, answering(read));
  // One by one: a metric's label is the path of the route.
  for (const path of ['/oauth2/authorization/:idp', '/auth/login']) {
    app.get(path, onlyNavigations(), ...limits.start, login(parts));
  }
  app.post('/auth/signin', onlyNavigations(), ...limits.start, signin(parts));
  for (const path of ['/login/oauth2/code/:idp', '/auth/callback', '/auth/callback/:idp']) {
    app.get(
      path,
      onlyNavigations(),
      ...limits.callback,
      callback(parts),
      ...limits.lateCallback,
      lateCallback(parts),
    );
  }
  app.get('/auth/session', session(parts));
  app.get('/auth/sessions', devices(parts));
  app.delete('/auth/sessions/:ref', endDevice(parts));
  app.post(
    '/auth/refresh',
    refuseForeignRefresh(parts),
    findRefreshed(parts),
    ...limits.refresh,
    refresh(parts),
  );
  for (const path of ['/logout', '/auth/logout', '/auth/signout']) {
    app.get(path, logoutPage(parts));
    app.post(path, logout(parts));
  }
  app.use(notFound);
  app.use(errorHandler(parts.events));
  return sessionReads({ reads, events: parts.events, headers, app });
}

function readsOf(parts: AppParts): ReadonlyMap<string, SessionRead> {
  return new Map([
    ['/auth/v1/session', heartbeat(parts)],
    ['/user', user(parts)],
    ['/auth/v1/user', user(parts)],
  ]);
}

function answering(read: SessionRead): RequestHandler {
  return async (request, response) => sendJson(response, await read(request));
}
