import { expect, it } from '@jest/globals';
import { BrowserJar } from '../../support/browser-jar.js';
import { isTrusted, type ModeStack } from '../../support/mode-stack.js';
import { ordinaryGrants } from '../../support/permission-service.js';

/** What both services do together, in whatever way Redis is run. */
export function itServesSessions(stack: () => ModeStack): void {
  it('logs in, and both dialects of the check let the session through', async () => {
    const { gateway, checks, idOf } = stack();
    await isTrusted(stack());
    const id = idOf(await gateway.login());
    await checks.turn(id, 200, []);
    for (const { headers } of [await checks.http(id), await checks.grpc(id)]) {
      expect(headers).toMatchObject({
        'x-user-id': ordinaryGrants.userId,
        'x-roles': ordinaryGrants.roles.join(','),
        'x-permissions': ordinaryGrants.permissions.join(','),
      });
    }
    await checks.remembered(id);
  });

  it('refreshes tokens and permissions, which the next check shows', async () => {
    const { gateway, checks, idOf, refresh, heartbeat } = stack();
    const browser = await gateway.login();
    gateway.permissions.answer = (_request, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ ...ordinaryGrants, roles: ['AUDITOR'] }));
    };
    try {
      const answer = await refresh(browser);
      expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
        200,
        { tokenRefreshed: true, roles: ['AUDITOR'] },
      ]);
    } finally {
      gateway.permissions.recover();
    }
    expect((await heartbeat(browser)).status).toBe(200);
    expect((await checks.http(idOf(browser))).headers['x-roles']).toBe('AUDITOR');
  });

  it('logs out: what was in memory is denied at once', async () => {
    const { gateway, checks, idOf, logout } = stack();
    const [stays, goes] = [await gateway.login(), await gateway.login()];
    await checks.remembered(idOf(goes));
    const id = idOf(goes);
    expect((await logout(goes)).status).toBe(200);
    await checks.turn(id, 401, [200]);
    expect(await checks.statuses(idOf(stays))).toEqual([200, 200]);
  });

  it('revokes all sessions of a user, also one whose login is under way', async () => {
    const { gateway, checks, idOf, revokeUser } = stack();
    const ids = [idOf(await gateway.login()), idOf(await gateway.login())];
    const atTheProvider = new BrowserJar();
    const callback = await gateway.beginLogin(atTheProvider);
    for (const id of ids) await checks.remembered(id);
    expect((await revokeUser(ordinaryGrants.userId)).status).toBe(204);
    for (const id of ids) await checks.turn(id, 401, [200]);
    const refused = await atTheProvider.visit(callback, { site: 'cross-site' });
    expect(refused.headers.location).toContain('error=auth_failed');
    await checks.turn(idOf(await gateway.login()), 200, []);
  });
}
