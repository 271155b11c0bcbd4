import type { Isolation } from "@castellan/domain";
import type { NodeIdentity } from "./identity.ts";

/** What a node's process needs to know. It travels to it as JSON; secrets stay in their file. */
export interface NodeConfig extends NodeIdentity {
  /** Absolute path of the node's own directory. */
  readonly directory: string;
  readonly templatesDirectory: string;
  readonly tokenFile: string;
  readonly controlPlaneUrls: readonly string[];
  readonly host: string;
  /** What others use to reach it, when it is not `host`. */
  readonly advertise?: string;
  /** 0: any free one. */
  readonly port: number;
  /** 0: any free one. */
  readonly gatewayPort: number;
  readonly maxSandboxes: number;
  /** Default: as the orchestrator's. */
  readonly memoryOvercommit?: number;
  /** The default first. */
  readonly isolations: readonly Isolation[];
  readonly runsc?: string;
}

/** What a supervisor tells its node process, in this order. */
export type SupervisorMessage =
  | { readonly kind: "start"; readonly config: NodeConfig }
  | { readonly kind: "stop"; readonly stopSandboxes: boolean };

export function isSupervisorMessage(message: unknown): message is SupervisorMessage {
  return (
    typeof message === "object" &&
    message !== null &&
    "kind" in message &&
    (message.kind === "start" || message.kind === "stop")
  );
}
