import type { components } from "@castellan/contracts/openapi";
import {
  isAddressOrBlock,
  type LifecycleEvent,
  type LifecycleEventType,
  lifecycleEventTypes,
  type Micros,
  metadataToObject,
} from "@castellan/domain";

export type PublicEvent = components["schemas"]["SandboxEvent"];
export type PublicEventType = components["schemas"]["SandboxEventType"];

/** An event in the words of E2B's API, and some more. */
export function presentEvent(event: LifecycleEvent): PublicEvent {
  return {
    version: "v2",
    id: String(event.id),
    type: publicType(event.type),
    timestamp: time(event.at),
    eventData: presentData(event),
    sandboxId: event.sandboxId,
    sandboxExecutionId: event.executionId,
    sandboxTemplateId: event.templateId,
    sandboxBuildId: event.templateId,
    sandboxTeamId: event.teamId,
    metadataRevision: event.revision,
    ...(event.apiKeyId !== undefined && { apiKeyId: event.apiKeyId }),
  };
}

export function publicType(type: LifecycleEventType): PublicEventType {
  return `sandbox.lifecycle.${type}`;
}

export function typeOf(name: PublicEventType): LifecycleEventType {
  const type = lifecycleEventTypes.find((known) => publicType(known) === name);
  if (type === undefined) throw new TypeError(`no type of event: ${name}`);
  return type;
}

function presentData({ metadata, change, cause, resources, at, startedAt }: LifecycleEvent): PublicEvent["eventData"] {
  return {
    ...(metadata !== undefined && { sandbox_metadata: metadataToObject(metadata) }),
    ...(change?.field === "metadata" && { metadata_delta: Object.fromEntries(change.delta) }),
    ...(change?.field === "endTime" && { set_timeout: time(change.value) }),
    ...(change?.field === "egress" && {
      network_egress: {
        allowed_cidrs: change.value.allowOut.filter(isAddressOrBlock),
        denied_cidrs: [...change.value.denyOut],
        allowed_domains: change.value.allowOut.filter((entry) => !isAddressOrBlock(entry)),
      },
    }),
    ...(change?.field === "found" && { found: true }),
    ...(cause !== undefined && { cause }),
    ...(resources !== undefined && {
      execution: {
        started_at: time(startedAt),
        vcpu_count: resources.cpuCount,
        memory_mb: resources.memoryMb,
        execution_time: Math.max(0, Math.round((at - startedAt) / 1000)),
      },
    }),
  };
}

function time(micros: Micros): string {
  return new Date(micros / 1000).toISOString();
}
