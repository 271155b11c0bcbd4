import { type Epoch, metadataLimits } from "@castellan/domain";
import { encodeEgress, encodeIdentity } from "../identity.ts";
import { metadataBytes, metadataText } from "../metadata-text.ts";
import type { AdoptedSandbox, AdoptOutcome, Verification } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import { leadTo, templateNames } from "./life.ts";
import * as lua from "./lua/recovery.ts";
import { checkOneLine, unexpected } from "./records.ts";
import { expectWork } from "./work.ts";

/** What the store learns from nodes after it may have forgotten. */

/** Records that one script takes; more make several. */
const recordsPerScript = 200;

export async function adopt(store: RedisConnection, sandbox: AdoptedSandbox): Promise<AdoptOutcome> {
  const { teamId, sandboxId, metadata, endTime, egress } = sandbox;
  checkOneLine(sandbox.executionId, sandbox.nodeId, sandbox.bootId);
  await leadTo(store, sandbox, "replace");
  await expectWork(store, teamId, { push: 0, ends: 0, states: 0 });
  const answer = await store.changeTeam(lua.adopt, teamId, [
    sandbox.epoch,
    sandboxId,
    sandbox.executionId,
    sandbox.generation,
    sandbox.nodeId,
    sandbox.bootId,
    sandbox.startedAt,
    metadata.revision,
    endTime.value,
    endTime.revision,
    encodeEgress(egress.value),
    egress.revision,
    encodeIdentity(sandbox),
    ...templateNames(sandbox),
    metadataBytes(metadata.value),
    metadata.value.size,
    metadataText(metadata.value),
    metadataLimits.keys,
    metadataLimits.totalBytes,
  ]);
  const outcome = answer[0];
  if (outcome === "adopted" || outcome === "merged" || outcome === "known" || outcome === "tombstoned") return outcome;
  throw unexpected(answer);
}

export async function verify(store: RedisConnection, epoch: Epoch, records: readonly Verification[]): Promise<void> {
  for (const [teamId, ofTeam] of Map.groupBy(records, (record) => record.teamId)) {
    for (let start = 0; start < ofTeam.length; start += recordsPerScript) {
      const args = ofTeam.slice(start, start + recordsPerScript).flatMap((record) => {
        const { sandboxId, executionId, fully, ownNode } = record;
        return [sandboxId, executionId, fully ? "1" : "0", ownNode === "reported" ? "1" : "0"];
      });
      await store.changeTeam(lua.verify, teamId, [epoch, ...args]);
    }
  }
}
