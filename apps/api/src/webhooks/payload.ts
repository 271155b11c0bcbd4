import type { LifecycleEvent } from "@castellan/domain";
import { presentEvent } from "../events/presenting.ts";

/**
 * The body of a delivery: the event as the API shows it, and the same again by the names of E2B's event bus, for receivers
 * that were written against either.
 */
export function payloadOf(event: LifecycleEvent): string {
  const shown = presentEvent(event);
  return JSON.stringify({
    ...shown,
    event_category: "lifecycle",
    event_label: event.type,
    event_data: shown.eventData,
    sandbox_id: shown.sandboxId,
    sandbox_execution_id: shown.sandboxExecutionId,
    sandbox_template_id: shown.sandboxTemplateId,
    sandbox_build_id: shown.sandboxBuildId,
    sandbox_team_id: shown.sandboxTeamId,
  });
}
