import type { NodeRecord } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import { createOne, idsOf, keyOf, newTeam, refuses, runOne, type Subject, stored, verifyOne } from "./fixture.ts";

export function describeLoops(subject: Subject): void {
  describe("the end of life", () => {
    it("lists running sandboxes past their end, and claims each once", async () => {
      const { store } = subject;
      const [one, two] = [await newTeam(store), await newTeam(store)];
      const ended = [await runOne(store, one, { lifetimeMs: 20 }), await runOne(store, two, { lifetimeMs: 1 })];
      const alive = await runOne(store, one);
      const wanted = idsOf(ended).sort();
      const found = async () =>
        idsOf((await store.listEnded(1000)).filter(({ teamId }) => [one, two].includes(teamId)));
      await expect.poll(async () => (await found()).sort(), { timeout: 5000 }).toEqual(wanted);
      expect(await found()).not.toContain(alive.sandboxId);

      const [first] = ended;
      if (first === undefined) throw new Error("unreachable");
      const claims = await Promise.all([1, 2].map(() => store.claimEnded(keyOf(first), "killing", 5000)));
      expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
      const claimed = await stored(store, first);
      expect(claimed).toMatchObject({ state: "killing" });
      expect(claimed.stateDeadline).toBeDefined();
      expect(idsOf(await store.listEnded(1000), one)).toEqual([]);
      expect(await store.claimEnded(keyOf(alive), "killing", 5000)).toBeUndefined();
      expect(await store.claimEnded({ ...keyOf(first), sandboxId: "inone" }, "killing", 5000)).toBeUndefined();
    });

    it("is not claimed once it was extended, nor for another execution", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { lifetimeMs: 1 });
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await store.claimEnded({ ...keyOf(record), executionId: "other" }, "killing", 5000)).toBeUndefined();
      const epoch = await store.epoch();
      const { sandboxId } = record;
      await store.editEndTime({ teamId, sandboxId, operationId: "op", epoch, lifetimeMs: 60_000, mode: "extend" });
      expect(await store.claimEnded(keyOf(record), "killing", 5000)).toBeUndefined();
      expect(await stored(store, record)).toMatchObject({ state: "running" });
      expect(idsOf(await store.listEnded(1000), teamId)).toEqual([]);
    });

    it("comes sooner when the life is shortened", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { lifetimeMs: 3_600_000 });
      await store.listEnded(1000);
      const epoch = await store.epoch();
      const { sandboxId } = record;
      await store.editEndTime({ teamId, sandboxId, operationId: "op", epoch, lifetimeMs: 100, mode: "set" });
      await expect.poll(async () => idsOf(await store.listEnded(1000), teamId), { timeout: 3000 }).toEqual([sandboxId]);
      const paused = await store.claimEnded(keyOf(record), "pausing", 100);
      expect(paused).toMatchObject({ state: "pausing" });
      await expect
        .poll(async () => idsOf(await store.listOverdue(1000), teamId), { timeout: 3000 })
        .toEqual([sandboxId]);
    });
  });

  describe("states past their deadline", () => {
    it("are listed, the most urgent first and no more than asked for, until they are settled", async () => {
      const { store } = subject;
      const teams = [await newTeam(store), await newTeam(store)] as const;
      const late = await createOne(store, teams[0], { deadlineMs: 60 });
      const later = await createOne(store, teams[1], { deadlineMs: 80 });
      const inTime = await createOne(store, teams[0], { deadlineMs: 60_000 });
      const mine = async () => idsOf((await store.listOverdue(1000)).filter(({ teamId }) => teams.includes(teamId)));
      await expect.poll(mine, { timeout: 3000 }).toEqual([late.sandboxId, later.sandboxId]);
      expect(await store.listOverdue(1)).toHaveLength(1);
      await store.transition({ ...keyOf(late), from: ["creating"], to: "running" });
      await store.remove(keyOf(later));
      expect(await mine()).toEqual([]);
      expect(await stored(store, inTime)).toMatchObject({ state: "creating" });
    });
  });

  describe("nodes", () => {
    it("keep their lease by the store's clock and are listed until they are forgotten", async () => {
      const { store } = subject;
      const now = await store.now();
      const first = await store.renewLease(node("node-b"), 10_000);
      expect(first).toMatchObject(node("node-b"));
      expect(first.leaseExpiresAt).toBeGreaterThanOrEqual(now + 10_000_000);
      await store.renewLease(node("node-a"), 1);
      const renewed = await store.renewLease({ ...node("node-b"), bootId: "boot-2" }, 20_000);
      expect(renewed.leaseExpiresAt).toBeGreaterThan(first.leaseExpiresAt);
      const listed = (await store.listNodes()).filter(({ nodeId }) => nodeId.startsWith("node-"));
      expect(listed.map(({ nodeId }) => nodeId)).toEqual(["node-a", "node-b"]);
      expect(listed[1]).toEqual(renewed);
      await store.forgetNode("node-a");
      await store.forgetNode("node-a");
      expect(await store.listForgottenNodes()).toContain("node-a");
      expect((await store.listNodes()).map(({ nodeId }) => nodeId)).not.toContain("node-a");
    });

    it("have the sandboxes of all teams that are placed on them, in any state", async () => {
      const { store } = subject;
      const nodeId = `node-${await newTeam(store)}`;
      const records = [
        await createOne(store, await newTeam(store), { nodeId }),
        await runOne(store, await newTeam(store), { nodeId }),
      ];
      const killing = await runOne(store, await newTeam(store), { nodeId });
      records.push(await store.transition({ ...keyOf(killing), from: ["running"], to: "killing" }));
      expect(idsOf(await store.listOnNode(nodeId)).sort()).toEqual(idsOf(records).sort());
      expect(await store.listOnNode("no-such-node")).toEqual([]);
    });
  });

  describe("teams and keys", () => {
    it("are found by the hash of a key, with the team as it is now", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const key = { apiKeyId: "key-1", teamId, name: "a key" };
      const keyHash = `hash-of-${teamId}`;
      expect(await store.findApiKey(keyHash)).toBeUndefined();
      await store.putApiKey(key, keyHash);
      await store.putTeam({ teamId, name: "Renamed ü", maxConcurrentSandboxes: 7 });
      const team = { teamId, name: "Renamed ü", maxConcurrentSandboxes: 7 };
      expect(await store.findApiKey(keyHash)).toEqual({ key, team });
    });

    it("are refused without a team, and with an id that is none", async () => {
      const { store } = subject;
      await refuses(store.putApiKey({ apiKeyId: "k", teamId: "no-such-team", name: "" }, "h"), "not_found");
      for (const teamId of ["", "a{b}", "a:b", "x".repeat(65), "a b", "ü"]) {
        await refuses(store.putTeam({ teamId, name: "", maxConcurrentSandboxes: 1 }), "invalid_argument");
      }
    });
  });

  describe("the clock and the epoch", () => {
    it("do not step back, and the epoch is not ahead of what was known when it began", async () => {
      const { store } = subject;
      const epoch = await store.epoch();
      let before = await store.now();
      expect(before).toBeGreaterThanOrEqual(epoch);
      for (let i = 0; i < 20; i += 1) {
        const now = await store.now();
        expect(now).toBeGreaterThanOrEqual(before);
        before = now;
      }
      expect(Number.isSafeInteger(before)).toBe(true);
    });

    it("rise above what a node knows, and then refuse what began before", async () => {
      const { store } = subject;
      const epoch = await store.epoch();
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      expect(await store.raiseEpoch(epoch - 1)).toBe(epoch);
      const known = (await store.now()) + 5_000_000;
      const raised = await store.raiseEpoch(known);
      expect(raised).toBe(known + 1);
      expect(await store.epoch()).toBe(raised);
      const { sandboxId } = record;
      const old = { teamId, sandboxId, operationId: "old", apiKeyId: "k", delta: new Map([["a", "1"]]), epoch };
      await refuses(store.editMetadata(old), "unavailable");
      await verifyOne(store, record);
      const { record: edited } = await store.editMetadata({ ...old, epoch: raised });
      expect(edited.metadata.revision).toBeGreaterThan(known);
      expect(edited.epoch).toBe(raised);
      // The clock is behind the epoch now, and revisions grow all the same.
      const next = await store.editMetadata({
        ...old,
        epoch: raised,
        operationId: "next",
        delta: new Map([["a", "2"]]),
      });
      expect(next.record.metadata.revision).toBe(edited.metadata.revision + 1);
    });
  });
}

function node(nodeId: string): Omit<NodeRecord, "leaseExpiresAt"> {
  return {
    nodeId,
    bootId: "boot-1",
    address: "http://127.0.0.1:1",
    gatewayAddress: "127.0.0.1:2",
    version: "0.1.0",
    isolation: "runc",
    isolations: ["runc"],
    capacity: { sandboxes: 10, cpuCount: 2, memoryBytes: 2 ** 33 },
    usage: { sandboxes: 1, starting: 0 },
    templates: [
      {
        templateId: "t1",
        aliases: ["base"],
        resources: { cpuCount: 2, memoryMb: 512, diskMb: 1024 },
        envdVersion: "0.6.13",
      },
    ],
    pauseWithMemory: false,
  };
}
