import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { userOwner } from '@sallyport/shared';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startInProcessGateway, type InProcessGateway } from '../support/in-process-gateway.js';
import { modelIssuer, ModelIdp } from '../support/model-idp.js';
import { describeOnRedis, users } from '../support/redis.js';
import { rolesIn } from '../support/session-world-scene.js';
import { settle, Turns } from '../support/turns.js';

/** ATTACKS 12: a push of roles at each await of a login. */
describeOnRedis('6.2', 'a login in which roles are pushed', (redis) => {
  const turns = new Turns();
  let current = 0;
  let login: InProcessGateway;
  let directory: InProcessGateway;
  const admin = () => redis().admin;
  beforeAll(async () => {
    const idps = [new ModelIdp(turns).asProvider()];
    const common = { publicOrigin: 'http://localhost:8443', idps, clock: () => Date.now() };
    const answer = ({ sub }: { sub: string }) =>
      Promise.resolve({ userId: sub, ...rolesIn(sub, current) });
    login = await startInProcessGateway({
      ...common,
      redis: turns.gate(await redis().connect(users.writer)),
      permissions: { grantsOf: (profile) => turns.pass(() => answer(profile)) },
    });
    directory = await startInProcessGateway({
      ...common,
      redis: await redis().connect(users.writer),
      permissions: { grantsOf: answer },
    });
  });
  afterAll(() => Promise.all([login.close(), directory.close()]));

  /** Pushes before so many outside calls were made. @returns how many there were, and the roles */
  const run = async (when: number): Promise<{ calls: number; roles: string | null }> => {
    await admin().flushall();
    current = 0;
    const browser = new BrowserJar();
    const start = await browser.visit(`${login.origin}/oauth2/authorization/idp`);
    const state = new URL(String(start.headers.location)).searchParams.get('state') ?? '';
    const query = new URLSearchParams({ code: 'ada', state, iss: modelIssuer }).toString();
    turns.inForce = true;
    const visit = { isOver: false };
    const callback = browser
      .visit(`${login.origin}/login/oauth2/code/idp?${query}`, { site: 'cross-site' })
      .finally(() => (visit.isOver = true));
    const push = async (): Promise<void> => {
      current = 1;
      await directory.pushes.announce('ada');
      await directory.sessions.grantAll(userOwner('ada'), rolesIn('ada', 1));
    };
    let calls = 0;
    while (!visit.isOver) {
      if (calls === when && current === 0) await push();
      if (await turns.step(0)) calls += 1;
      else await settle();
    }
    turns.inForce = false;
    if (current === 0) await push();
    expect(setCookies(await callback)).toHaveLength(3);
    const [key = ''] = await admin().keys('extauthz:session:*');
    return { calls, roles: await admin().hget(key, 'roles') };
  };

  it('reg-A12: has the new ones, whichever of its awaits the push came before', async () => {
    const { calls } = await run(Infinity);
    expect(calls).toBeGreaterThan(10);
    const roles: (string | null)[] = [];
    for (let when = 0; when < calls; when += 1) roles.push((await run(when)).roles);
    expect(roles).toEqual(roles.map(() => 'ada.r1'));
  });
});
