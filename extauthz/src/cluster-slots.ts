import keySlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';

export const slotCount = 16_384;

/** As ioredis names its nodes in the slot map. */
export function nameOf({ options: { host, port } }: Redis): string {
  return `${String(host)}:${String(port)}`;
}

/** The name of the primary that owns a key, by the Cluster's map of now. */
export function ownerName(cluster: Cluster, key: string): string | undefined {
  return cluster.slots[keySlot(key)]?.[0];
}

/** Everybody who owns a slot. */
export function ownerNames(cluster: Cluster): Set<string> {
  const names = new Set<string>();
  for (let slot = 0; slot < slotCount; slot += 1) {
    const name = cluster.slots[slot]?.[0];
    if (name !== undefined) names.add(name);
  }
  return names;
}

export function nodeNamed(cluster: Cluster, name: string): Redis | undefined {
  return cluster.nodes('all').find((node) => nameOf(node) === name);
}

/**
 * A key under the prefix in a slot of the primary's own, by which it can be asked whether it still
 * answers for them: an isolated one says CLUSTERDOWN, one that lost the slot MOVED.
 *
 * @throws Error where it owns no slot
 */
export function ownKey(cluster: Cluster, prefix: string, name: string): () => string {
  let key: string | undefined;
  return () => {
    if (key !== undefined && ownerName(cluster, key) === name) return key;
    for (let index = 0; index < 20 * slotCount; index += 1) {
      key = `${prefix}proof-${String(index)}`;
      if (ownerName(cluster, key) === name) return key;
    }
    throw new Error('NOSLOT the node owns no slot');
  };
}
