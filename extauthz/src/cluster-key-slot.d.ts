declare module 'cluster-key-slot' {
  /** The Cluster slot of a key, its hash tag minded. */
  function keySlot(key: string): number;
  export = keySlot;
}
