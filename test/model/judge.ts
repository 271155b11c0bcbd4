import { metadataToObject, type SandboxRecord } from "@castellan/domain";
import type { Answer } from "./answer.ts";
import { canonical } from "./canonical.ts";
import type { Cluster } from "./cluster.ts";
import type { Chronicle, ClusterState, Commit } from "./cluster-state.ts";
import { nodeIds } from "./configuration.ts";
import type { NodeView } from "./node-part.ts";
import { describeRecord, sandboxId, type Task } from "./process-part.ts";
import type { Step } from "./search.ts";

/** Adds to the chronicle what a step of the store did to the metadata. */
export function noteCommits(
  chronicle: Chronicle,
  before: SandboxRecord | undefined,
  after: SandboxRecord | undefined,
  operation: string,
): Chronicle {
  if (after === undefined) return chronicle;
  const commit: Commit = { operation, revision: after.metadata.revision, map: mapOf(after) };
  if (before?.metadata.revision === commit.revision && mapOf(before) === commit.map) return chronicle;
  return { ...chronicle, commits: [...chronicle.commits, commit] };
}

/** Judges what one step of the store may not do to the record. */
export function judgeStep(before: SandboxRecord | undefined, after: SandboxRecord | undefined): string | undefined {
  if (before === undefined || after === undefined) return undefined;
  const sameBoot =
    before.executionId === after.executionId && before.bootId === after.bootId && before.epoch === after.epoch;
  if (sameBoot && after.metadata.applied < before.metadata.applied) {
    return `applied fell from ${before.metadata.applied} to ${after.metadata.applied} within one boot`;
  }
  return undefined;
}

/** Judges how a request was answered, and writes it down. */
export async function judgeAnswer(
  cluster: Cluster,
  state: ClusterState,
  task: Task,
  result: Answer,
): Promise<Step<ClusterState>> {
  // The loops' rounds end again and again, and tell nothing.
  if (task.kind === "reconcile" || task.kind === "repush" || task.kind === "register") return { label: "", state };
  const { answer, reply } = readResult(result);
  const lasting = reply?.status === 200 ? [{ slot: task.slot, revision: reply.revision }] : [];
  const chronicle = cluster.written(state, `${task.slot} got ${answer} ${reply?.revision}`, (earlier) => ({
    ...earlier,
    answers: { ...earlier.answers, [task.slot]: answer },
    acknowledged: [...earlier.acknowledged, ...lasting],
  }));
  const next = { ...state, chronicle };
  return { label: "", state: next, violation: reply && judgeReply(cluster, state, task, reply) };
}

function judgeReply(cluster: Cluster, state: ClusterState, task: Task, reply: Reply): string | undefined {
  const { commits } = cluster.chronicle(state);
  const { status, revision, applied, map } = reply;
  const held = Math.max(...viewsOf(cluster, state).map((view) => view.held.metadata.revision));
  if (applied > held)
    return `${task.slot} was told that revision ${applied} is applied; no node holds more than ${held}`;
  // Less is applied than committed where no node runs the sandbox.
  if (status === 200 && applied >= revision && held < revision)
    return `${task.slot} got 200 and no node holds ${revision}`;
  const committed = commits.findLast((commit) => commit.revision === revision);
  if (committed !== undefined && committed.map !== map) return `${task.slot} was shown another map of ${revision}`;
  if (task.kind === "patch" && task.ifMatch !== undefined) {
    const at = commits.findIndex(({ operation }) => operation === `op-${task.slot}`);
    if (at > 0 && commits[at - 1]?.revision !== task.ifMatch) {
      return `${task.slot} held for revision ${task.ifMatch} and changed ${commits[at - 1]?.revision}`;
    }
  }
  return undefined;
}

/** Judges what a message ended or started on a node, and writes down what the node promised. */
export async function judgeEnds(
  cluster: Cluster,
  before: ClusterState,
  after: ClusterState,
  index: number,
  verb: string,
  request: string,
  answer: Answer,
): Promise<{ state: ClusterState; violation?: string }> {
  const earlier = viewsOf(cluster, before);
  const later = viewsOf(cluster, after);
  const chronicle = cluster.chronicle(after);
  const named = /"executionId":"([^"]*)"/.exec(request)?.[1];
  const runs = later[index]?.running ?? [];
  for (const executionId of earlier[index]?.running ?? []) {
    if (runs.includes(executionId)) continue;
    if (verb !== "delete" || named !== executionId)
      return { state: after, violation: `a ${verb} of ${named} ended ${executionId}` };
    const record = await cluster.record(after.store);
    const wanted =
      chronicle.killAsked ||
      (executionId === "e1" &&
        cluster.configuration.tasks.some(({ task }) => task.kind === "restart" && task.endsOlder)) ||
      (record?.state === "killing" && record.executionId === executionId) ||
      (await isTombstoned(cluster, after.store, executionId));
    const othersRun = later.some(({ running }) => running.length > 0);
    if (!wanted && !othersRun) return { state: after, violation: `the only execution ${executionId} was ended` };
  }
  const broken = runs.find((executionId) => chronicle.refused.includes(`${nodeIds[index]}:${executionId}`));
  if (broken !== undefined)
    return { state: after, violation: `${broken} runs on ${nodeIds[index]}, which had promised that it never will` };
  if (verb !== "delete" || "error" in answer) return { state: after };
  const promise = `${nodeIds[index]}:${named}`;
  const promised = cluster.written(after, promise, (known) => ({
    ...known,
    refused: [...new Set([...known.refused, promise])].sort(),
  }));
  return { state: { ...after, chronicle: promised } };
}

/** What holds in every state. */
export async function judgeState(cluster: Cluster, state: ClusterState): Promise<string | undefined> {
  const { commits, storeLost } = cluster.chronicle(state);
  const record = await cluster.record(state.store);
  const views = viewsOf(cluster, state);
  const maps = new Map<number, string>();
  const seen = [
    ...commits.map(({ revision, map }) => ({ revision, map })),
    ...(record === undefined ? [] : [{ revision: record.metadata.revision, map: mapOf(record) }]),
    ...views.map(({ held }) => ({
      revision: held.metadata.revision,
      map: canonical(metadataToObject(held.metadata.value)),
    })),
  ];
  for (const { revision, map } of seen) {
    const known = maps.get(revision) ?? map;
    if (revision > 0 && known !== map) return `revision ${revision} has two maps: ${known} and ${map}`;
    maps.set(revision, map);
  }
  if (record !== undefined) {
    const held = views[nodeIds.indexOf(record.nodeId)]?.held.metadata.revision ?? 0;
    const { applied } = record.metadata;
    if (applied > held) return `the store takes ${applied} for applied, and the node holds ${held}`;
  }
  const operations = commits.map(({ operation }) => operation).filter((operation) => operation !== "");
  const twice = operations.find((operation, at) => operations.indexOf(operation) !== at);
  if (twice !== undefined && !storeLost) return `${twice} took effect twice`;
  return undefined;
}

/** What holds once everything has come to rest. */
export async function judgeRest(cluster: Cluster, state: ClusterState): Promise<string | undefined> {
  const chronicle = cluster.chronicle(state);
  const record = await cluster.record(state.store);
  const views = viewsOf(cluster, state);
  const running = views.flatMap((view) => view.running);
  if (record === undefined) {
    if (!chronicle.killAsked) return "the sandbox is gone, and nobody ended it";
    return running.length > 0 ? `it was killed, and ${running.join()} still runs` : undefined;
  }
  if (chronicle.answers["kill"] === "done") return `it was killed, and the store has ${describeRecord(record)} again`;
  const lost = judgeMap(cluster, chronicle, record);
  if (lost !== undefined || record.state !== "running") return lost;
  if (running.join() !== record.executionId) {
    return `${running.join() || "nothing"} runs, and the store has ${describeRecord(record)}`;
  }
  const held = views[nodeIds.indexOf(record.nodeId)]?.held.metadata;
  const agree =
    held?.revision === record.metadata.revision &&
    held.revision === record.metadata.applied &&
    canonical(metadataToObject(held.value)) === mapOf(record);
  return agree ? undefined : `the node holds ${held?.revision} and the store has ${describeRecord(record)}`;
}

/** Whether what was committed and acknowledged is in the map, in the order of the commits. */
function judgeMap(cluster: Cluster, chronicle: Chronicle, record: SandboxRecord): string | undefined {
  const bodies = new Map<string, Readonly<Record<string, string | null>>>(
    cluster.configuration.tasks.flatMap(({ slot, task }) =>
      task.kind === "patch" ? [[`op-${slot}`, task.body] as const] : [],
    ),
  );
  const edits = chronicle.commits.flatMap(({ operation }) => {
    const body = bodies.get(operation);
    return body === undefined ? [] : [{ operation, body }];
  });
  const keys = new Set(edits.flatMap(({ body }) => Object.keys(body)));
  for (const key of keys) {
    const ofKey = edits.filter(({ body }) => key in body);
    const mustLast = ofKey.findLastIndex(
      ({ operation }) => !chronicle.storeLost || chronicle.acknowledged.some(({ slot }) => `op-${slot}` === operation),
    );
    if (mustLast < 0) continue;
    const allowed = ofKey.slice(mustLast).map(({ body }) => body[key] ?? undefined);
    const actual = record.metadata.value.get(key);
    if (!allowed.includes(actual)) {
      return `${key} is ${actual}, and ${ofKey[mustLast]?.operation} had set it to ${allowed[0]}`;
    }
  }
  return undefined;
}

export function viewsOf(cluster: Cluster, state: ClusterState): NodeView[] {
  return state.nodes.map(({ content }) => cluster.parts.nodes.view(content, sandboxId));
}

async function isTombstoned(cluster: Cluster, store: number, executionId: string): Promise<boolean> {
  const { answer } = await cluster.parts.store.run(store, 0, "isTombstoned", [sandboxId, executionId]);
  return "value" in answer && answer.value === true;
}

interface Reply {
  readonly status: number;
  readonly revision: number;
  readonly applied: number;
  readonly map: string;
}

function readResult(result: Answer): { readonly answer: string; readonly reply?: Reply } {
  if ("error" in result) return { answer: canonical(result.error).split(":")[0] ?? "" };
  const { value } = result;
  if (value === undefined) return { answer: "done" };
  if (typeof value !== "object" || value === null || !("status" in value) || !("body" in value))
    return { answer: canonical(value) };
  const { status, body } = value;
  if (
    typeof body !== "object" ||
    body === null ||
    !("revision" in body && "appliedRevision" in body && "metadata" in body)
  ) {
    return { answer: canonical(status) };
  }
  const reply = {
    status: Number(status),
    revision: Number(body.revision),
    applied: Number(body.appliedRevision),
    map: canonical(body.metadata),
  };
  return { answer: String(status), reply };
}

function mapOf({ metadata }: SandboxRecord): string {
  return canonical(metadataToObject(metadata.value));
}
