import type { OrchestratorOptions } from "./options.ts";

/** One node. */
export interface Orchestrator {
  readonly nodeId: string;
  /** New for every orchestrator that is made. */
  readonly bootId: string;
  /**
   * Takes the state directory, adopts the sandboxes that still run, and serves; resolves when both ports are open. The
   * node then registers in the background, for as long as it takes.
   * @throws `conflict` when another process has the state directory; then nothing is left open.
   */
  listen(): Promise<NodeAddresses>;
  /**
   * Stops serving, then ends the sandboxes or leaves them running for the next process. Idempotent; starts under way
   * are given up.
   */
  close(options: { readonly stopSandboxes: boolean }): Promise<void>;
}

/** As told to the control plane. */
export interface NodeAddresses {
  /** Base URL of the Connect services. */
  readonly address: string;
  /** host:port of the gateway. */
  readonly gatewayAddress: string;
}

export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  throw new Error(`Not there yet: ${options.nodeId}`);
}
