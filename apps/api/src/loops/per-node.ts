/** Work that is done for each node apart, one piece at a time: a slow node holds up no other. */
export interface PerNode {
  /** Begins the work, unless the node's last piece still goes on. Answers whether it began. Failures are its own. */
  begin(nodeId: string, work: () => Promise<void>): boolean;
  /** Waits for everything that has begun. */
  idle(): Promise<void>;
}

export function createPerNode(): PerNode {
  const busy = new Map<string, Promise<void>>();
  return {
    begin(nodeId, work) {
      if (busy.has(nodeId)) return false;
      busy.set(
        nodeId,
        work().finally(() => busy.delete(nodeId)),
      );
      return true;
    },
    async idle() {
      await Promise.allSettled(busy.values());
    },
  };
}
