import type { TemplateLimits } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import type { Placement } from "./create/placement.ts";
import type { Ending } from "./ending/ending.ts";
import type { EventStreams } from "./events/streams.ts";
import type { NodeDirectory } from "./nodes/directory.ts";
import type { Limits, Timing } from "./options.ts";
import type { Pusher } from "./push/pusher.ts";
import type { Verification } from "./recovery/verification.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Targets } from "./webhooks/targets.ts";

/** What handlers and loops work with. */
export interface Services {
  readonly store: SandboxStore;
  readonly clock: StoreClock;
  readonly directory: NodeDirectory;
  readonly placement: Placement;
  readonly pusher: Pusher;
  readonly ending: Ending;
  readonly eventStreams: EventStreams;
  readonly verification: Verification;
  /** Where webhooks may lead. */
  readonly targets: Targets;
  readonly logger: Logger;
  readonly limits: Limits;
  /** What is said about templates, by id or alias. */
  readonly templateLimits: Readonly<Record<string, TemplateLimits>>;
  readonly timing: Timing;
  /** Under which sandboxes have host names. */
  readonly domain: string;
  readonly version: string;
}
