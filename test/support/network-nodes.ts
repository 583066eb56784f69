import { freePort } from '@sallyport/demo/free-port';
import { startCuttableProxy, type CuttableProxy } from './cuttable-proxy.js';

/**
 * Machines, as far as a partition is concerned: each process speaks from a loopback address of its
 * own and is spoken to through a proxy of its own. The services, on 127.0.0.1, always get through.
 */
export interface NetworkNode {
  /** Where the others find it. */
  readonly announced: number;
  readonly port: number;
  /** For redis.conf and sentinel.conf: where it speaks from. */
  readonly bindLines: readonly string[];
}

export interface Network {
  /** @param address the last part of its loopback address, 2 to 254 */
  addNode(address: number, options: { bindSource: boolean }): Promise<NetworkNode>;
  /** These hear nothing of the rest any more, nor the rest of them. */
  isolate(nodes: readonly NetworkNode[]): void;
  heal(): void;
  close(): Promise<void>;
}

export function createNetwork(): Network {
  const members = new Map<NetworkNode, { proxy: CuttableProxy; address: string }>();
  return {
    addNode: async (last, { bindSource }) => {
      const address = `127.0.0.${String(last)}`;
      const port = await freePort();
      const proxy = await startCuttableProxy(() => port);
      const node = {
        announced: proxy.port,
        port,
        // 6.2 speaks from the first address that it listens on; 7 needs to be told.
        bindLines: [
          `bind ${address} 127.0.0.1`,
          ...(bindSource ? [`bind-source-addr ${address}`] : []),
        ],
      };
      members.set(node, { proxy, address });
      return node;
    },
    isolate: (nodes) => {
      const inside = new Set(nodes);
      for (const [node, { proxy }] of members) {
        const beyond = [...members].filter(([other]) => inside.has(other) !== inside.has(node));
        proxy.cut(new Set(beyond.map(([, { address }]) => address)));
      }
    },
    heal: () => {
      for (const { proxy } of members.values()) proxy.heal();
    },
    close: async () => {
      await Promise.all([...members.values()].map(({ proxy }) => proxy.close()));
    },
  };
}
