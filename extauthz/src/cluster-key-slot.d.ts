declare module 'cluster-key-slot' {
  /** The Cluster slot of a key, its hash tag minded. */
  export default function keySlot(key: string): number;
}
