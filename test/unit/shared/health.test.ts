import { describe, expect, it } from '@jest/globals';
import { Health } from '@sallyport/shared/runtime';

describe('Health', () => {
  it('is ready when every component is', async () => {
    const health = new Health();
    expect(await health.ready()).toEqual({ ready: true, notReady: [] });
    health.add('redis', () => true);
    health.add('idp', () => Promise.resolve(true));
    expect(await health.ready()).toEqual({ ready: true, notReady: [] });
  });

  it('names every component that is not, thrown and rejected checks included', async () => {
    const health = new Health();
    health.add('fine', () => true);
    health.add('no', () => false);
    health.add('throws', () => {
      throw new Error('secret');
    });
    health.add('rejects', () => Promise.reject(new Error('secret')));
    expect(await health.ready()).toEqual({ ready: false, notReady: ['no', 'throws', 'rejects'] });
  });

  it('is never ready again once it drains', async () => {
    const health = new Health();
    expect(health.draining).toBe(false);
    health.drain();
    health.add('redis', () => true);
    expect(health.draining).toBe(true);
    expect(await health.ready()).toEqual({ ready: false, notReady: ['draining'] });
  });
});
