import { newSandboxId } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import type { SandboxStore } from "../store.ts";
import { createOne, keyOf, manifest, newRecord, newTeam, pauseOne, refuses, runOne, type Subject } from "./fixture.ts";

export function describeAccessTokens(subject: Subject): void {
  describe("the access tokens of secure sandboxes", () => {
    it("are listed from before their sandbox runs until it is gone, also while it is paused", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const created = await createOne(store, teamId, { envdAccessToken: "secret-1" });
      expect(await tokenOf(store, created.sandboxId)).toBe("secret-1");
      const running = await store.transition({ ...keyOf(created), from: ["creating"], to: "running" });
      await pauseOne(store, running);
      expect(await tokenOf(store, created.sandboxId)).toBe("secret-1");
      await store.transition({ ...keyOf(created), from: ["paused"], to: "killing" });
      await store.remove(keyOf(created));
      expect(await tokenOf(store, created.sandboxId)).toBeUndefined();
    });

    it("are none of a sandbox that is open to all", async () => {
      const { store } = subject;
      const open = await runOne(store, await newTeam(store));
      expect(await tokenOf(store, open.sandboxId)).toBeUndefined();
    });

    it("are listed for a sandbox that the store takes over from its node", async () => {
      const { store } = subject;
      const sandbox = await manifest(store, await newTeam(store), { envdAccessToken: "secret-2" });
      await store.adopt(sandbox);
      expect(await tokenOf(store, sandbox.sandboxId)).toBe("secret-2");
    });

    it("are not left behind by a create that is refused", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const removed = await newRecord(store, teamId, { envdAccessToken: "secret-3" });
      await store.remove(removed);
      await refuses(store.create(removed, 10), "conflict");
      const tooMany = await newRecord(store, teamId, { envdAccessToken: "secret-4" });
      await refuses(store.create(tooMany, 0), "quota_exceeded");
      expect(await tokenOf(store, removed.sandboxId)).toBeUndefined();
      expect(await tokenOf(store, tooMany.sandboxId)).toBeUndefined();
    });

    it("stay those of the sandbox that has them when a create of the same id is refused", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const sandboxId = newSandboxId();
      await createOne(store, teamId, { sandboxId, envdAccessToken: "first" });
      await refuses(createOne(store, teamId, { sandboxId, envdAccessToken: "second" }), "conflict");
      expect(await tokenOf(store, sandboxId)).toBe("first");
    });

    it("come in pages, and what comes later lies behind what was read, also after the newest was removed", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const start = (await all(store)).upTo;
      const first = await createOne(store, teamId, { envdAccessToken: "a" });
      const second = await createOne(store, teamId, { envdAccessToken: "b" });
      const page = await store.listAccessTokens(start, 1);
      expect(page.tokens).toEqual([{ sandboxId: first.sandboxId, token: "a" }]);
      const next = await store.listAccessTokens(page.upTo, 10);
      expect(next.tokens).toEqual([{ sandboxId: second.sandboxId, token: "b" }]);
      expect(await store.listAccessTokens(next.upTo, 10)).toMatchObject({ tokens: [], upTo: next.upTo });

      await store.remove(keyOf(second));
      const third = await createOne(store, teamId, { envdAccessToken: "c" });
      const { tokens } = await store.listAccessTokens(next.upTo, 10);
      expect(tokens).toEqual([{ sandboxId: third.sandboxId, token: "c" }]);
    });

    it("are counted, and named with the epoch of their places", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const before = await store.listAccessTokens(0, 1);
      const { sandboxId, executionId } = await createOne(store, teamId, { envdAccessToken: "a" });
      const page = await store.listAccessTokens(0, 1);
      expect(page.total).toBe(before.total + 1);
      expect(page.epoch).toBe(await store.epoch());
      await store.remove({ teamId, sandboxId, executionId });
      expect((await store.listAccessTokens(0, 1)).total).toBe(before.total);
    });
  });
}

async function all(store: SandboxStore): Promise<{ tokens: Map<string, string>; upTo: number }> {
  const tokens = new Map<string, string>();
  for (let after = 0; ; ) {
    const page = await store.listAccessTokens(after, 100);
    for (const { sandboxId, token } of page.tokens) tokens.set(sandboxId, token);
    if (page.tokens.length === 0) return { tokens, upTo: after };
    after = page.upTo;
  }
}

async function tokenOf(store: SandboxStore, sandboxId: string): Promise<string | undefined> {
  return (await all(store)).tokens.get(sandboxId);
}
