import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { redisAcl } from '@sallyport/demo/redis-acl';
import { triedCommands } from '../../../session-gateway/src/redis-permissions.js';
import { grantedBy } from '../../support/redis-commands.js';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const filesUnder = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:ts|lua)$/.test(name))
    .map((name) => join(folder, name));
/** The script itself begins with these two. */
const tried = new Set(['SET', 'DEL', ...triedCommands.map(([name]) => name)]);

describe('the commands that are tried at boot', () => {
  it('are all that the scripts send', () => {
    const sent = filesUnder('session-gateway/lua')
      .filter((path) => !path.endsWith('try-commands.lua'))
      .flatMap((path) => [
        ...read(path).matchAll(/(?:call|pcall)\('([A-Z]+)'/g),
        ...read(path).matchAll(/\{ '([A-Z]{3,})', KEYS/g),
      ])
      .map(([, name]) => name ?? '');
    expect(new Set(sent).size).toBeGreaterThan(15);
    expect([...new Set(sent)].filter((name) => !tried.has(name))).toEqual([]);
  });

  it('are all that the code sends by itself', () => {
    const verbs = [
      ...['get', 'set', 'zrem', 'zcard', 'zrange', 'hget', 'hmget', 'del', 'exists', 'pttl'],
      ...['xack', 'xautoclaim', 'xreadgroup', 'xadd', 'expire', 'pexpire', 'incr', 'hset', 'zadd'],
    ];
    const call = new RegExp(`redis\\.(${verbs.join('|')})\\(`, 'gi');
    const sent = filesUnder('session-gateway/src')
      .flatMap((path) => [...read(path).matchAll(call)])
      .map(([, name]) => (name ?? '').toUpperCase());
    expect(new Set(sent).size).toBeGreaterThan(5);
    expect([...new Set(sent)].filter((name) => !tried.has(name))).toEqual([]);
  });

  it.each([6, 7])('are granted by the shipped line of Redis %i', (major) => {
    const passwords = { extauthz: 'a', sessionGateway: 'b' };
    const granted = grantedBy(redisAcl({ version: [major, 2], passwords }), 'session-gateway');
    const names = new Set(granted.map((name) => name.split('|', 1)[0]?.toUpperCase()));
    expect([...tried].filter((name) => !names.has(name))).toEqual([]);
  });
});
