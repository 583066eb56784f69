import { expect, it } from '@jest/globals';
import { onDemand } from '../../../session-gateway/src/oidc/on-demand.js';

it('loads once for everybody who asks meanwhile, and keeps the value', async () => {
  let loads = 0;
  const value = onDemand(
    () => Promise.resolve((loads += 1)),
    () => 0,
  );

  expect(await Promise.all([value(), value(), value()])).toEqual([1, 1, 1]);
  expect(await value()).toBe(1);
});

it('tries again after a failure, but not before its back-off', async () => {
  let now = 0;
  let loads = 0;
  const value = onDemand(
    () => {
      loads += 1;
      return loads < 3 ? Promise.reject(new Error(`failure ${loads}`)) : Promise.resolve('here');
    },
    () => now,
  );

  await expect(value()).rejects.toThrow('failure 1');
  now = 999;
  await expect(value()).rejects.toThrow('failure 1');
  now = 1000;
  await expect(Promise.all([value(), value()])).rejects.toThrow('failure 2');
  now = 5000;
  expect(await value()).toBe('here');
  now = 1_000_000;
  expect(await value()).toBe('here');
  expect(loads).toBe(3);
});
