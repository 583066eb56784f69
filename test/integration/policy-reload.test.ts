import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { checkHttp, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { metric } from '../support/metrics.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

const patience = 60_000;
const opening = (id: string, path: string): string =>
  `version: 1\nrules: [{ id: ${id}, path: ${path}, allow: public }]\n`;

describeOnRedis('6.2', 'a policy file that changes', (redis) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
  const volume = join(directory, 'volume');
  const file = join(volume, 'policy.yaml');
  let service: ExtauthzProcess;

  const start = (policyFile: string, place = redis().env(users.reader)) =>
    startExtauthz({ directory, env: { ...place, EXTAUTHZ_POLICY_FILE: policyFile } });
  const status = async (path: string) => (await checkHttp(service.httpPort, [], path)).status;
  const isOpen = (path: string) => until(async () => (await status(path)) === 200);

  /** As Kubernetes mounts a ConfigMap: the file is a link through `..data`, which is swapped. */
  const swapData = (version: string, text: string): void => {
    mkdirSync(join(volume, version), { recursive: true });
    writeFileSync(join(volume, version, 'policy.yaml'), text);
    symlinkSync(version, join(volume, '..data_tmp'));
    renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
  };

  beforeAll(async () => {
    mkdirSync(volume);
    writeFileSync(file, opening('a', '/api/a'));
    service = await start(file);
  }, patience);

  afterAll(async () => {
    await service.child.stop();
    rmSync(directory, { recursive: true, force: true });
  }, patience);

  it(
    'comes into force when it is written, or replaced as editors do',
    async () => {
      expect(await status('/api/a')).toBe(200);
      writeFileSync(file, opening('b', '/api/b'));
      await isOpen('/api/b');
      expect(await status('/api/a')).toBe(403);
      writeFileSync(`${file}.swp`, opening('c', '/api/c'));
      renameSync(`${file}.swp`, file);
      await isOpen('/api/c');
      rmSync(file);
      writeFileSync(file, opening('d', '/api/d'));
      await isOpen('/api/d');
    },
    patience,
  );

  it(
    'changes nothing while it is bad, says so, and counts',
    async () => {
      const good = /^extauthz_policy_last_reload_successful ([01])/m;
      const version = /^extauthz_policy_version ([0-9]+)/m;
      const before = (await metric(service.healthPort, version)) ?? 0;
      expect(await metric(service.healthPort, good)).toBe(1);
      writeFileSync(file, 'version: 1\nrules: [{ id: x, path: api, allow: public }]\n');
      await until(async () => (await metric(service.healthPort, good)) === 0);
      expect(await status('/api/d')).toBe(200);
      expect(await metric(service.healthPort, version)).toBe(before);
      expect(readFileSync(service.child.logFile, 'utf8')).toContain(
        'line 2: rules[0].path: must start',
      );
      writeFileSync(file, opening('e', '/api/e'));
      await isOpen('/api/e');
      expect(await metric(service.healthPort, good)).toBe(1);
      expect(await metric(service.healthPort, version)).toBe(before + 1);
    },
    patience,
  );

  it(
    'drops no check while it changes again and again',
    async () => {
      let changing = true;
      const statuses: number[] = [];
      const checks = Promise.all(
        Array.from({ length: 4 }, async () => {
          while (changing) statuses.push(await status('/api/both'));
        }),
      );
      for (let round = 1; round <= 20; round += 1) {
        const text = `version: 1\nrules: [{ id: r${round}, path: [/api/both, /api/r${round}], allow: public }]\n`;
        writeFileSync(`${file}.new`, text);
        renameSync(`${file}.new`, file);
        await isOpen(`/api/r${round}`);
      }
      changing = false;
      await checks;
      // Before the first of these files the path was under no rule.
      const first = statuses.indexOf(200);
      expect(statuses.slice(first + 4).filter((one) => one !== 200)).toEqual([]);
      expect(statuses.length - first).toBeGreaterThan(20);
    },
    patience,
  );

  it(
    'is followed through the links of a Kubernetes volume',
    async () => {
      await service.child.stop();
      rmSync(file);
      swapData('..v1', opening('one', '/api/one'));
      symlinkSync('..data/policy.yaml', file);
      service = await start(file);
      expect(await status('/api/one')).toBe(200);
      swapData('..v2', opening('two', '/api/two'));
      await isOpen('/api/two');
      expect(await status('/api/one')).toBe(403);
    },
    patience,
  );

  it(
    'is seen by looking where the file system tells nothing',
    async () => {
      await service.child.stop();
      const elsewhere = join(directory, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(elsewhere, 'rules.yaml'), opening('near', '/api/near'));
      const link = join(directory, 'linked', 'policy.yaml');
      mkdirSync(join(directory, 'linked'));
      symlinkSync(join(elsewhere, 'rules.yaml'), link);
      service = await start(link);
      expect(await status('/api/near')).toBe(200);
      // In another folder than the one that is watched.
      writeFileSync(join(elsewhere, 'rules.yaml'), opening('far', '/api/far'));
      await isOpen('/api/far');
      // The watch stays with the folder that went away.
      renameSync(join(directory, 'linked'), join(directory, 'moved'));
      mkdirSync(join(directory, 'linked'));
      writeFileSync(link, opening('anew', '/api/anew'));
      await isOpen('/api/anew');
      expect(await status('/api/far')).toBe(403);
    },
    patience,
  );

  it(
    'is refused at the start with every mistake',
    async () => {
      const bad = join(directory, 'bad.yaml');
      writeFileSync(bad, 'version: 2\nrules: [{ id: x, path: api, allow: public }]\n');
      const failure = await start(bad, { REDIS_PORT: '1' }).then(
        () => '',
        (error: unknown) => String(error),
      );
      expect(failure).toContain('EXTAUTHZ_POLICY_FILE: line 1: version: must be 1.');
      expect(failure).toContain('EXTAUTHZ_POLICY_FILE: line 2: rules[0].path: must start with /');
    },
    patience,
  );
});
