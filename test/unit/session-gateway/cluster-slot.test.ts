import { describe, expect, it } from '@jest/globals';
import { clusterSlot } from '../../../session-gateway/src/sessions/cluster-slot.js';

describe('clusterSlot', () => {
  // As `CLUSTER KEYSLOT` answers.
  it.each([
    ['123456789', 12_739],
    ['foo', 12_182],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['{user1000}.following', 3443],
    ['gateway:revoke-seq', clusterSlot('gateway:spare:{gateway:revoke-seq}')],
  ])('of %s is %i', (key, slot) => {
    expect(clusterSlot(key)).toBe(slot);
  });
});
