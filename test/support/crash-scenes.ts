import { exchange } from '@sallyport/demo/web-client/exchange';
import { refreshDueKey } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { BrowserJar } from './browser-jar.js';
import type { Aftermath } from './crash-aftermath.js';
import type { GatewayStack } from './gateway.js';
import { logoutToken } from './logout-token.js';
import { isLong } from './proofs.js';
import {
  expireTokens,
  heartbeat,
  metric,
  postRefresh,
  sessionOf,
  tokenVersion,
  type LiveSession,
} from './replicas.js';
import { until } from './until.js';

/** Whom people ask, and whether that one is dead already. */
export interface Target {
  readonly origin: string;
  readonly isStruck: () => boolean;
}

/** One thing people do, about to happen at a gateway that is going to be killed. */
export interface Scene {
  readonly act: (target: Target) => Promise<unknown>;
  /** What is wrong when it was killed; asked of the gateway that is left. */
  readonly judge: () => Promise<string[]>;
  /** Any gateway would do it: the other one must stand still meanwhile. */
  readonly alone?: boolean;
}

/** A login, its refresh by whoever may ask for one, and its ends. */
export function crashScenes(stack: GatewayStack, admin: Redis, after: Aftermath) {
  return {
    'the start of a login': (): Promise<Scene> => {
      const browser = new BrowserJar();
      return Promise.resolve({
        act: ({ origin }) => browser.visit(`${origin}/oauth2/authorization/idp`),
        judge: () => after.canLogIn(browser),
      });
    },
    callback: () => callback(stack, after),
    'a refresh by heartbeat': () =>
      refresh(stack, admin, after, { act: (session, { origin }) => heartbeat(origin, session) }),
    'a refresh by POST': () =>
      refresh(stack, admin, after, { act: (session, { origin }) => postRefresh(origin, session) }),
    'a refresh by the worker': () =>
      refresh(stack, admin, after, {
        alone: true,
        act: async (session, { isStruck }) => {
          await admin.zadd(refreshDueKey, 0, session.handle);
          await until(async () => isStruck() || (await tokenVersion(admin, session)) === 2);
        },
      }),
    'a logout': () => logout(stack, after),
    'a back-channel logout': () => backChannelLogout(stack, after),
  };
}

async function callback(stack: GatewayStack, after: Aftermath): Promise<Scene> {
  const browser = await stack.login();
  const replaced = sessionOf(browser, stack.origin);
  const url = await stack.beginLogin(browser);
  return {
    act: ({ origin }) => browser.visit(url.replace(stack.origin, origin), { site: 'cross-site' }),
    judge: async () => {
      const again = await browser.visit(url, { site: 'cross-site' });
      return [
        ...(again.status < 500 ? [] : [`a repeated callback is a ${String(again.status)}`]),
        ...(await after.canLogIn(browser)),
        ...((await after.isAlive(replaced)) ? ['the replaced session outlived the logout'] : []),
      ];
    },
  };
}

async function refresh(
  stack: GatewayStack,
  admin: Redis,
  after: Aftermath,
  by: {
    readonly alone?: boolean;
    readonly act: (session: LiveSession, target: Target) => Promise<unknown>;
  },
): Promise<Scene> {
  const uses = () => stack.idp.refreshes.used + stack.idp.refreshes.refused;
  const browser = await stack.login();
  const session = sessionOf(browser, stack.origin);
  await expireTokens(admin, session);
  const before = uses();
  const retries = 'gateway_refresh_tokens_sent_total{use="retry"}';
  const retriesBefore = await metric(stack.managementOrigin, retries);
  return {
    ...by,
    act: (target) => by.act(session, target),
    judge: async () => {
      const found: string[] = [];
      const beat = await heartbeat(stack.origin, session);
      if (beat.status !== 200 && !beat.text.includes('session_ended_at_idp')) {
        found.push(`the session is gone, and the answer is ${beat.text}`);
      }
      if (isLong) {
        // Until it is known what became of the token: it was sent once, or once more.
        await until(
          async () =>
            (await heartbeat(stack.origin, session)).status === 401 ||
            (await tokenVersion(admin, session)) === 2,
        );
        const retried = (await metric(stack.managementOrigin, retries)) - retriesBefore;
        if (retried > 1) found.push(`${String(retried)} retries`);
      }
      if (uses() - before > 2) found.push(`${String(uses() - before)} uses of one token`);
      found.push(...(await after.unequal()));
      await after.logout(browser);
      if (await after.isAlive(session)) found.push('the session outlived its logout');
      return [...found, ...(await after.canLogIn())];
    },
  };
}

async function logout(stack: GatewayStack, after: Aftermath): Promise<Scene> {
  const issued = stack.idp.issued.length;
  const browser = await stack.login();
  const tokens = stack.idp.issued.slice(issued);
  const session = sessionOf(browser, stack.origin);
  let answered = false;
  return {
    act: async ({ origin }) => {
      answered = (await after.logout(browser, origin)).status === 200;
    },
    judge: async () => {
      const found: string[] = [];
      if (answered && (await after.isAlive(session))) found.push('a session outlived its logout');
      const again = await after.logout(browser);
      if (again.status !== 200) found.push(`a second logout is a ${String(again.status)}`);
      if (await after.isAlive(session)) found.push('a session outlived its second logout');
      await after.everyLeftTokenRevoked();
      if (await stack.idp.takes(tokens)) found.push('a refresh token outlived its session');
      return [...found, ...(await after.canLogIn(browser))];
    },
  };
}

async function backChannelLogout(stack: GatewayStack, after: Aftermath): Promise<Scene> {
  const session = sessionOf(await stack.login(), stack.origin);
  const sub = stack.idp.nextSubject;
  const body = new URLSearchParams({ logout_token: await logoutToken(stack, { sub }) }).toString();
  const send = ({ origin }: { readonly origin: string }) =>
    exchange(`${origin}/auth/backchannel-logout`, {
      method: 'POST',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      body,
    });
  return {
    act: send,
    judge: async () => {
      const again = await send(stack);
      return [
        ...(again.status === 200 ? [] : [`repeated it is a ${String(again.status)}`]),
        ...((await after.isAlive(session)) ? ['a session outlived a logout at the provider'] : []),
        ...(await after.canLogIn()),
      ];
    },
  };
}
