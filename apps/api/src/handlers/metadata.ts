import {
  CastellanError,
  editIdempotency,
  type Metadata,
  type MetadataHistoryEntry,
  metadataToObject,
  newOperationId,
  notVerified,
  parseMetadataDelta,
  parseSandboxId,
  type Revision,
  type SandboxRecord,
  sandboxNotFound,
} from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import type { Services } from "../services.ts";
import { presentTime } from "./presenting.ts";
import { findSandbox } from "./sandbox.ts";

export function metadataHandlers({
  store,
  pusher,
  timing,
}: Pick<Services, "store" | "pusher" | "timing">): Pick<
  SecuredHandlers,
  "getSandboxMetadata" | "patchSandboxMetadata" | "getSandboxMetadataHistory"
> {
  return {
    async getSandboxMetadata({ params }, { teamId }) {
      const record = await findSandbox(store, teamId, params.sandboxID);
      // Until then the store may have forgotten what was acknowledged.
      if (record.epoch !== (await store.epoch())) throw notVerified(record.sandboxId);
      return { status: 200, ...present(latest(record), pusher.applied(record, "metadata")) };
    },

    async patchSandboxMetadata({ params, headers, body }, { teamId, apiKeyId }) {
      const sandboxId = parseSandboxId(params.sandboxID);
      const ifMatch = readIfMatch(headers["If-Match"]);
      const delta = parseMetadataDelta(body);
      const idempotencyKey = headers["Idempotency-Key"];
      const epoch = await store.epoch();
      const { record, outcome } = await store.editMetadata({
        teamId,
        apiKeyId,
        sandboxId,
        delta,
        operationId: newOperationId(),
        epoch,
        ...(ifMatch === undefined ? {} : { ifMatch }),
        ...(idempotencyKey === undefined ? {} : { idempotency: editIdempotency(idempotencyKey, delta, ifMatch) }),
      });
      const answer = (applied: Revision) => present(outcome ?? latest(record), applied);
      // No node runs a paused sandbox: its next one starts with what is committed.
      if (record.state === "paused") return { status: 200, ...answer(record.metadata.applied) };

      // The first answer's revision is what a replay is about; edits that came since may still be on their way.
      const held = pusher.applied(record, "metadata");
      if (outcome !== undefined && record.epoch === epoch && held >= outcome.revision) {
        return { status: 200, ...answer(held) };
      }
      const { confirmed, applied } = await pusher.confirm(record, "metadata", epoch, timing.confirmMs);
      return { status: confirmed ? 200 : 202, ...answer(applied) };
    },

    async getSandboxMetadataHistory({ params, query }, { teamId }) {
      const { sandboxId } = await findSandbox(store, teamId, params.sandboxID);
      const { limit, before } = query;
      const page = await store.metadataHistory(teamId, sandboxId, {
        limit: limit ?? 100,
        ...(before === undefined ? {} : { before }),
      });
      if (page === undefined) throw sandboxNotFound(sandboxId);
      return {
        status: 200,
        body: {
          changes: page.entries.map(presentChange),
          ...(page.oldestRevision === undefined ? {} : { oldestRevision: page.oldestRevision }),
        },
      };
    },
  };
}

interface Committed {
  readonly metadata: Metadata;
  readonly revision: Revision;
}

function latest({ metadata }: SandboxRecord): Committed {
  return { metadata: metadata.value, revision: metadata.revision };
}

function present({ metadata, revision }: Committed, applied: Revision) {
  return {
    body: { metadata: metadataToObject(metadata), revision, appliedRevision: applied },
    headers: { ETag: `"${revision}"` },
  };
}

function presentChange({ at, revision, kind, delta, apiKeyId }: MetadataHistoryEntry) {
  return {
    time: presentTime(at),
    revision,
    kind,
    delta: metadataToObject(delta),
    ...(apiKeyId === undefined ? {} : { apiKeyID: apiKeyId }),
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
