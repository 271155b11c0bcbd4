import type { components } from "@castellan/contracts/openapi";
import { everywhere, type Micros, metadataToObject, publicState, type SandboxRecord } from "@castellan/domain";

type Schemas = components["schemas"];

/** The protocol has the field; nothing depends on its value. */
const clientId = "castellan";

/** What a client needs to talk to the sandbox. */
export function presentSandbox(record: SandboxRecord, domain: string): Schemas["Sandbox"] {
  return {
    templateID: record.templateId,
    sandboxID: record.sandboxId,
    clientID: clientId,
    envdVersion: record.envdVersion,
    domain,
    ...(record.templateAlias === undefined ? {} : { alias: record.templateAlias }),
    ...(record.envdAccessToken === undefined ? {} : { envdAccessToken: record.envdAccessToken }),
    ...(record.trafficAccessToken === undefined ? {} : { trafficAccessToken: record.trafficAccessToken }),
  };
}

/** As a list shows it. */
export function presentListed(record: SandboxRecord): Schemas["ListedSandbox"] {
  return {
    templateID: record.templateId,
    sandboxID: record.sandboxId,
    clientID: clientId,
    ...(record.templateAlias === undefined ? {} : { alias: record.templateAlias }),
    startedAt: presentTime(record.startedAt),
    endAt: presentTime(record.endTime.value),
    cpuCount: record.resources.cpuCount,
    memoryMB: record.resources.memoryMb,
    diskSizeMB: record.resources.diskMb,
    metadata: metadataToObject(record.metadata.value),
    state: publicState(record.state) ?? "running",
    isolation: record.isolation ?? "runc",
    envdVersion: record.envdVersion,
    volumeMounts: [],
  };
}

export function presentDetail(record: SandboxRecord, domain: string): Schemas["SandboxDetail"] {
  const network = presentNetwork(record);
  const allowInternetAccess = internetAccessOf(record);
  return {
    ...presentListed(record),
    domain,
    ...(record.envdAccessToken === undefined ? {} : { envdAccessToken: record.envdAccessToken }),
    ...(allowInternetAccess === undefined ? {} : { allowInternetAccess }),
    ...(network === undefined ? {} : { network }),
    lifecycle: {
      autoResume: record.lifecycle.autoResume,
      onTimeout: record.lifecycle.autoPause ? "pause" : "kill",
    },
  };
}

/** RFC 3339 with all six digits: two sandboxes started in one millisecond keep their order. */
export function presentTime(time: Micros): string {
  const millis = new Date(Math.floor(time / 1000)).toISOString();
  return `${millis.slice(0, -1)}${String(time % 1000).padStart(3, "0")}Z`;
}

/** What was last said about the network; the rule that stands for `allow_internet_access: false` is not shown twice. */
function presentNetwork(record: SandboxRecord) {
  const { egress, trafficAccessToken } = record;
  const { allowOut } = egress.value;
  const isClosed = internetAccessOf(record) === false;
  const denyOut = egress.value.denyOut.filter((entry) => !isClosed || entry !== everywhere);
  const allowPublicTraffic = trafficAccessToken === undefined;
  if (allowPublicTraffic && allowOut.length === 0 && denyOut.length === 0) return undefined;
  return { allowPublicTraffic, allowOut: [...allowOut], denyOut };
}

/** A record that a node gave back has the creator's word alone, which holds as long as the rules say the same. */
function internetAccessOf({ egress, allowInternetAccess }: SandboxRecord): boolean | undefined {
  if (egress.value.allowInternetAccess !== undefined) return egress.value.allowInternetAccess;
  return allowInternetAccess === false && egress.value.denyOut.includes(everywhere) ? false : undefined;
}
