import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionId } from '@sallyport/shared';
import { answerOf, checkHttp } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

const changes = 30;
const workersPerTransport = 4;
const roles = ['EDITOR', 'AUDITOR'] as const;
type Role = (typeof roles)[number];

/** Even ones let editors in and auditors not, odd ones the other way round. */
const roleOf = (number: number): Role => (number % 2 === 0 ? 'EDITOR' : 'AUDITOR');
const policy = (number: number): string => `version: 1
rules:
  - { id: r${String(number)}, path: /api/report, allow: { roles: { any: [${roleOf(number)}] } } }
`;
const badPolicy = (number: number): string =>
  policy(number).replace('allow:', `allow: everyone, was:`);

/** What came of one check, and which policies may have been in force meanwhile. */
interface Answered {
  readonly transport: 'http' | 'grpc';
  readonly role: Role;
  readonly status: number;
  readonly reason: string | undefined;
  /** The number of the rule; HTTP tells it with a denial only. */
  readonly rule: number | undefined;
  readonly oldest: number;
  readonly newest: number;
}

/** Whether it is, in everything that it says, the answer of one of those policies. */
function isOfOnePolicy({ role, status, reason, rule, oldest, newest }: Answered): boolean {
  for (let number = oldest; number <= newest; number += 1) {
    const expected = roleOf(number) === role ? [200, undefined] : [403, 'missing_role'];
    const isRule = rule === number || (rule === undefined && status === 200);
    if (status === expected[0] && reason === expected[1] && isRule) return true;
  }
  return false;
}

describe.each([
  ['sessions in memory', {}],
  ['each session read from Redis', { SESSION_CACHE_MAX_ENTRIES: '0' }],
])('a policy that changes under load, %s', (_title, env: Readonly<Record<string, string>>) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-reload-'));
  const file = join(directory, 'policy.yaml');
  const agent = new Agent({ keepAlive: true });
  const ids: Partial<Record<Role, SessionId>> = {};
  let rig: FailureRig;
  /** The last one known to be in force, and the last one written. */
  let [inForce, written] = [0, 0];

  beforeAll(async () => {
    writeFileSync(file, policy(0));
    rig = await startFailureRig({
      env: () => ({ EXTAUTHZ_POLICY_FILE: file, ...env }),
    });
    for (const role of roles) ids[role] = await rig.write({ roles: [role] });
  });
  afterAll(async () => {
    agent.destroy();
    await rig.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const numberIn = (id: string | undefined): number | undefined =>
    id === undefined ? undefined : Number(/^r([0-9]+)$/.exec(id)?.[1]);
  const said = (body: string) => JSON.parse(body || '{}') as { reason?: string; rule?: string };

  const overHttp = async (lines: readonly (readonly [string, string])[]) => {
    const { status, body } = await checkHttp(
      rig.service.httpPort,
      lines,
      '/api/report',
      'GET',
      agent,
    );
    const { reason, rule } = said(body);
    return { status, reason, rule: numberIn(rule) };
  };
  const overGrpc = async (lines: readonly (readonly [string, string])[]) => {
    const response = await rig.checker.ask(lines, '/api/report');
    const { status, body } = answerOf(response);
    const { reason, rule } = said(body);
    const metadata = response.dynamic_metadata?.fields['rule']?.stringValue;
    return { status, reason, rule: numberIn(rule ?? metadata) };
  };

  const one = async (transport: Answered['transport'], role: Role): Promise<Answered> => {
    const lines = [['cookie', `__Host-session=${ids[role] ?? ''}`]] as const;
    const oldest = inForce;
    const answer = await (transport === 'http' ? overHttp(lines) : overGrpc(lines));
    return { transport, role, ...answer, oldest, newest: written };
  };

  /** By a rename, as editors do, and by writing over it, which may be read half written. */
  const write = (text: string, number: number): void => {
    const target = number % 4 < 2 ? `${file}.new` : file;
    writeFileSync(target, text);
    if (target !== file) renameSync(target, file);
  };
  const isGood = async (): Promise<number> => rig.metric('extauthz_policy_last_reload_successful');
  const refusals = (): number =>
    rig.service.log().split('the changed policy file cannot be used').length - 1;

  const changeTo = async (number: number): Promise<void> => {
    written = number;
    write(policy(number), number);
    await until(async () => {
      const answers = [await one('http', roleOf(number)), await one('grpc', roleOf(number))];
      return answers.every(({ status }) => status === 200);
    });
    inForce = number;
    expect(await isGood()).toBe(1);
  };
  const spoil = async (number: number): Promise<void> => {
    const [version, before] = [await rig.metric('extauthz_policy_version'), refusals()];
    write(badPolicy(number), number);
    await until(async () => (await isGood()) === 0);
    await until(() => refusals() > before);
    expect(await rig.metric('extauthz_policy_version')).toBe(version);
    expect(rig.service.log()).toContain('line 3: rules[0].allow: must be public');
  };

  it('answers every check, each as one of the two policies would, and a bad file changes nothing', async () => {
    const all: Answered[] = [];
    let changing = true;
    const workers = (['http', 'grpc'] as const).flatMap((transport) =>
      Array.from({ length: workersPerTransport }, async (_, worker) => {
        for (let turn = worker; changing; turn += 1) {
          all.push(await one(transport, roles[turn % 2] ?? 'EDITOR'));
        }
      }),
    );
    for (let number = 1; number <= changes; number += 1) {
      await changeTo(number);
      if (number % 3 === 0) await spoil(number);
    }
    changing = false;
    await Promise.all(workers);
    // A machine that runs tests stands still at times: where Redis was late, no policy was asked.
    const late = await rig.metric('extauthz_redis_errors_total{reason="TIMEOUT"}');
    const isLate = ({ reason }: Answered) => late > 0 && reason === 'store_unavailable';
    expect(all.filter((answer) => !isLate(answer) && !isOfOnePolicy(answer))).toEqual([]);
    // The load was there while it changed, and both sides of each policy were asked for.
    for (const transport of ['http', 'grpc'] as const) {
      const asked = all.filter((answer) => answer.transport === transport);
      expect(asked.filter(({ status }) => status === 200).length).toBeGreaterThan(changes);
      expect(asked.filter(({ status }) => status === 403).length).toBeGreaterThan(changes);
      expect(new Set(asked.map(({ rule }) => rule)).size).toBeGreaterThan(changes / 2);
    }
  });
});
