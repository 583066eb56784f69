import { expect, it } from '@jest/globals';
import { people } from '@sallyport/demo/idp/people';
import { exchange } from '@sallyport/demo/web-client/exchange';
import type { PartName } from '@sallyport/demo/started-parts';
import type { BrowserContext, Page, Response } from 'playwright-core';
import { until } from '../support/until.js';
import { cookieNames, requestsOf, type Visitors } from '../support/visitors.js';

const [ada, grace = ada] = people;
const callback = 'GET /login/oauth2/code/idp';

/** Several logins under way in one browser: each has cookies of its own, and they share the session's. */
export function tabs(v: () => Visitors): void {
  const origin = () => v().stack.origin;
  const userStatus = async (id: string): Promise<number> => {
    const headers = [['Cookie', `__Host-session=${id}`]] as const;
    return (await exchange(`${origin()}/user`, { headers })).status;
  };

  const signal = (part: PartName, name: 'SIGSTOP' | 'SIGCONT'): void => {
    const { pid } = v().stack.part(part);
    if (pid === undefined) throw new Error(`${part} does not run`);
    process.kill(pid, name);
  };

  // Silently: of five forms sent at once a provider may refuse some codes, as each login there ends
  // the last one's session (seen with oidc-provider: invalid_grant).
  it('five tabs at once, at every step of the login, are all logged in and log out together', () =>
    v().withContext(async (context) => {
      const tabs = await Promise.all(Array.from({ length: 5 }, () => context.newPage()));
      const [first] = tabs;
      if (first === undefined) throw new Error('there are five');
      await v().login(first, grace);
      await context.clearCookies({ domain: 'localhost' });
      const ours = requestsOf(context, origin());
      const theirs = requestsOf(context, v().stack.idpOrigin);
      const given = sessionsGiven(context, origin());
      // Each stands still until all five are at its door: no tab's answer can help another.
      try {
        signal('idp', 'SIGSTOP');
        const arrived = tabs.map((tab) => tab.goto(`${origin()}/oauth2/authorization/idp`));
        await until(() => theirs.filter((request) => request === 'GET /auth').length === 5, 30_000);
        signal('session-gateway', 'SIGSTOP');
        signal('idp', 'SIGCONT');
        await until(() => ours.filter((request) => request === callback).length === 5, 30_000);
        signal('session-gateway', 'SIGCONT');
        await Promise.all(arrived);
      } finally {
        for (const part of ['idp', 'session-gateway'] as const) signal(part, 'SIGCONT');
      }
      await Promise.all(tabs.map((tab) => v().expectLoggedIn(tab, grace)));
      expect(ours.filter((request) => request === callback)).toHaveLength(5);
      await until(() => given.size === 5);
      expect((await cookieNames(context, origin())).sort()).toEqual([
        '__Host-session',
        '__Host-sref',
      ]);
      const cookies = await context.cookies(origin());
      const own = cookies.find(({ name }) => name === '__Host-session')?.value ?? '';
      expect(given).toContain(own);

      await Promise.all(tabs.map((tab) => tab.reload()));
      await Promise.all(tabs.map((tab) => v().expectLoggedIn(tab, grace)));
      await first.getByRole('button', { name: 'Log out' }).click();
      await first.getByRole('heading', { name: 'You are logged out' }).waitFor();
      expect(await cookieNames(context, origin())).toEqual([]);
      for (const tab of tabs) expect(await v().statusOf(tab, '/user')).toBe(401);
      expect(await userStatus(own)).toBe(401);
    }));

  it('five tabs, finished one after another in another order, end in one session', () =>
    v().withContext(async (context) => {
      const tabs = await Promise.all(Array.from({ length: 5 }, () => context.newPage()));
      await Promise.all(tabs.map((tab) => v().openLoginForm(tab)));
      const pending = (await cookieNames(context, origin())).filter((name) =>
        name.includes('login'),
      );
      expect(pending).toHaveLength(5);
      const ids: string[] = [];
      for (const tab of [3, 0, 4, 1, 2].map((index) => tabs[index])) {
        if (tab !== undefined) await v().sendLoginForm(tab, grace);
        const cookies = await context.cookies(origin());
        ids.push(cookies.find(({ name }) => name === '__Host-session')?.value ?? '');
      }
      expect(new Set(ids).size).toBe(5);
      for (const tab of tabs) {
        await tab.reload();
        await v().expectLoggedIn(tab, grace);
      }
      expect((await cookieNames(context, origin())).sort()).toEqual([
        '__Host-session',
        '__Host-sref',
      ]);
      const sessions = await tabs[0]?.evaluate(async () => {
        const answer = await fetch('/auth/sessions');
        return ((await answer.json()) as { sessions: { current: boolean }[] }).sessions;
      });
      expect(sessions?.filter(({ current }) => current)).toHaveLength(1);
      // Each took the place of the one before it.
      expect(await Promise.all(ids.map(userStatus))).toEqual([401, 401, 401, 401, 200]);
    }));

  it('a sixth tab drops the oldest, which then finds the session of the others', () =>
    v().withContext(async (context) => {
      const tabs: Page[] = [];
      for (let tab = 0; tab < 6; tab += 1) {
        const page = await context.newPage();
        await v().openLoginForm(page);
        tabs.push(page);
      }
      const pending = (await cookieNames(context, origin())).filter((name) =>
        name.includes('login'),
      );
      expect(pending).toHaveLength(5);
      const [oldest, youngest] = [tabs[0], tabs[5]];
      if (oldest === undefined || youngest === undefined) throw new Error('there are six');
      await v().sendLoginForm(youngest, ada);
      await v().sendLoginForm(oldest, ada);
    }));
}

/** Every session cookie that a login sets from now on. */
function sessionsGiven(context: BrowserContext, origin: string): Set<string> {
  const given = new Set<string>();
  const read = async (response: Response): Promise<void> => {
    if (!response.url().startsWith(`${origin}/login/oauth2/`)) return;
    for (const { value } of await response.headersArray()) {
      const id = /^__Host-session=([^;]+)/.exec(value)?.[1];
      if (id !== undefined) given.add(id);
    }
  };
  context.on('response', (response) => void read(response));
  return given;
}
