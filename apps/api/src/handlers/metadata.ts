import {
  CastellanError,
  metadataToObject,
  newOperationId,
  notVerified,
  parseMetadataDelta,
  parseSandboxId,
  type Revision,
  type SandboxRecord,
} from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import type { Services } from "../services.ts";
import { findSandbox } from "./sandbox.ts";

export function metadataHandlers({
  store,
  pusher,
  timing,
}: Services): Pick<SecuredHandlers, "getSandboxMetadata" | "patchSandboxMetadata"> {
  return {
    async getSandboxMetadata({ params }, { teamId }) {
      const record = await findSandbox(store, teamId, params.sandboxID);
      // Until then the store may have forgotten what was acknowledged.
      if (record.epoch !== (await store.epoch())) throw notVerified(record.sandboxId);
      return { status: 200, ...present(record, pusher.applied(record, "metadata")) };
    },

    async patchSandboxMetadata({ params, headers, body }, { teamId, apiKeyId }) {
      const sandboxId = parseSandboxId(params.sandboxID);
      const ifMatch = readIfMatch(headers["If-Match"]);
      const epoch = await store.epoch();
      const { record } = await store.editMetadata({
        teamId,
        apiKeyId,
        sandboxId,
        delta: parseMetadataDelta(body),
        operationId: newOperationId(),
        epoch,
        ...(ifMatch === undefined ? {} : { ifMatch }),
      });
      // No node runs a paused sandbox: its next one starts with what is committed.
      if (record.state === "paused") return { status: 200, ...present(record, record.metadata.applied) };

      const { confirmed, applied } = await pusher.confirm(record, "metadata", epoch, timing.confirmMs);
      return { status: confirmed ? 200 : 202, ...present(record, applied) };
    },
  };
}

function present({ metadata }: SandboxRecord, applied: Revision) {
  return {
    body: {
      metadata: metadataToObject(metadata.value),
      revision: metadata.revision,
      appliedRevision: applied,
    },
    headers: { ETag: `"${metadata.revision}"` },
  };
}

/** `undefined` for `*` or no header: any revision will do. @throws `invalid_argument` */
function readIfMatch(header: string | undefined): Revision | undefined {
  if (header === undefined || header.trim() === "*") return undefined;
  const revision = /^"(0|[1-9]\d{0,15})"$/.exec(header.trim())?.[1];
  if (revision === undefined || !Number.isSafeInteger(Number(revision))) {
    throw new CastellanError("invalid_argument", 'If-Match must be one revision in quotes, like "123", or *');
  }
  return Number(revision);
}
