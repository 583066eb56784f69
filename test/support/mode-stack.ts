import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionId } from '@sallyport/shared';
import { exchange, type Answer } from '@sallyport/demo/web-client/exchange';
import type { BrowserJar } from './browser-jar.js';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from './extauthz.js';
import { checksOf, type Checks } from './failure-rig.js';
import { startGatewayStack, type GatewayStack } from './gateway.js';
import { until } from './until.js';

const token = 'a-token-of-a-service-that-may-revoke';

/** How the two services find one Redis. */
export interface ModePlace {
  readonly readerEnv: Readonly<Record<string, string>>;
  readonly writerEnv: Readonly<Record<string, string>>;
}

/** Both built services on one Redis, with a real provider and permission service around them. */
export interface ModeStack {
  readonly gateway: GatewayStack;
  readonly service: ExtauthzProcess;
  readonly checks: Checks;
  readonly idOf: (browser: BrowserJar) => SessionId;
  readonly logout: (browser: BrowserJar) => Promise<Answer>;
  readonly refresh: (browser: BrowserJar) => Promise<Answer>;
  readonly heartbeat: (browser: BrowserJar) => Promise<Answer>;
  /** Ends all sessions of a user, as another service asks for it. */
  readonly revokeUser: (userId: string) => Promise<Answer>;
  close(): Promise<void>;
}

export async function startModeStack(
  place: ModePlace,
  gatewayEnv: Readonly<Record<string, string>> = {},
): Promise<ModeStack> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-mode-'));
  const [service, gateway] = await Promise.all([
    startExtauthz({ directory, env: place.readerEnv }),
    startGatewayStack(place, { INTERNAL_API_TOKENS: `admin:${token}`, ...gatewayEnv }),
  ]);
  const checker = grpcChecker(service.grpcPort);
  const checks = checksOf(service, checker);
  const visit = (
    browser: BrowserJar,
    path: string,
    method: string,
    headers: [string, string][] = [],
  ) =>
    browser.visit(gateway.origin + path, {
      site: 'same-origin',
      method,
      headers: [['Sec-Fetch-Mode', 'cors'], ['Accept', 'application/json'], ...headers],
    });
  const proof: [string, string][] = [['X-CSRF', '1']];
  return {
    gateway,
    service,
    checks,
    idOf: (browser) => browser.cookies.get('localhost', '__Host-session') as SessionId,
    logout: (browser) => visit(browser, '/logout', 'POST', proof),
    refresh: (browser) => visit(browser, '/auth/refresh', 'POST', proof),
    heartbeat: (browser) => visit(browser, '/auth/v1/session', 'GET'),
    revokeUser: (userId) =>
      exchange(`${gateway.managementOrigin}/internal/v1/sessions/users/${userId}`, {
        method: 'DELETE',
        headers: [['Authorization', `Bearer ${token}`]],
      }),
    close: async () => {
      checker.close();
      await Promise.all([gateway.close(), service.child.kill()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Memory answers only while the link is trusted; what a test says of it begins here. */
export function isTrusted({ checks }: ModeStack): Promise<void> {
  return until(async () => (await checks.metric('extauthz_cache_trusted')) === 1);
}
