import type { Webhook } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import type { SandboxStore, WebhookClaim, WebhookOutcome } from "../store.ts";
import { edit, newTeam, refuses, runOne, type Subject } from "./fixture.ts";

export function describeWebhooks(subject: Subject): void {
  describe("webhooks", () => {
    it("are kept as they were given, changed in part and removed, each in its own team", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const made = await add(store, teamId, "w1", { signatureSecret: 'se"cret' });
      expect(await store.listWebhooks(teamId)).toEqual([made]);
      expect(made.createdAt).toBeGreaterThan(1_700_000_000_000_000);
      const changed = await store.editWebhook(teamId, "w1", { url: "https://b.example/", enabled: false });
      expect(changed).toEqual({ ...made, url: "https://b.example/", enabled: false });
      expect(await store.listWebhooks(teamId)).toEqual([changed]);
      const other = await newTeam(store);
      expect(await store.listWebhooks(other)).toEqual([]);
      await refuses(store.editWebhook(other, "w1", { name: "x" }), "not_found");
      await refuses(store.listDeadLetters(other, "w1"), "not_found");
      expect(await store.removeWebhook(other, "w1")).toBe(false);
      expect(await store.removeWebhook(teamId, "w1")).toBe(true);
      expect(await store.removeWebhook(teamId, "w1")).toBe(false);
      await refuses(add(store, "nobody", "w1"), "not_found");
    });

    it("are at most 20 in a team", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      for (let n = 0; n < 20; n += 1) await add(store, teamId, `w${n}`);
      await refuses(add(store, teamId, "w20"), "quota_exceeded");
    });

    it("are claimed by one at a time, for events since they were made", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      await add(store, teamId, "w1");
      expect(await claim(store, teamId, "a", 0)).toEqual([]);
      await edit(store, record, { a: "1" });
      const [mine] = await claim(store, teamId, "a");
      expect(mine).toMatchObject({ webhook: { webhookId: "w1", teamId }, owner: "a", retries: [] });
      expect(await claim(store, teamId, "b", 0)).toEqual([]);
      const page = await store.listEvents(teamId, { order: "asc", after: mine?.cursor ?? 0, limit: 10 });
      expect(page.events).toMatchObject([{ type: "updated" }]);
      // What is settled and released is no work any more.
      expect(await settle(store, mine, { cursor: page.upTo ?? 0, leaseMs: 0 })).toBe(true);
      expect(await claim(store, teamId, "b", 0)).toEqual([]);
      await edit(store, record, { a: "2" });
      expect(await claim(store, teamId, "b")).toMatchObject([{ cursor: page.upTo }]);
    });

    it("go to somebody else once a claim has run out, and the late one's word counts no more", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await add(store, teamId, "w1");
      await runOne(store, teamId);
      const [late] = await claim(store, teamId, "a", undefined, 50);
      const [next] = await claim(store, teamId, "b");
      expect(next?.cursor).toBe(late?.cursor);
      expect(await settle(store, late, { cursor: Number(late?.cursor) + 1 })).toBe(false);
      expect(await settle(store, next, { cursor: Number(next?.cursor) + 2 })).toBe(true);
      expect(await settle(store, next, { cursor: Number(next?.cursor) + 3, leaseMs: 0 })).toBe(true);
      expect(await settle(store, next, { cursor: Number(next?.cursor) + 4 })).toBe(false);
    });

    it("are due again when the first retry is", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await add(store, teamId, "w1");
      await runOne(store, teamId);
      const [mine] = await claim(store, teamId, "a");
      const cursor = (await store.listEvents(teamId, { order: "desc", limit: 1 })).events[0]?.id ?? 0;
      const nextAt = (await store.now()) + 400_000;
      const retries = [
        { eventId: cursor, sandboxId: "i1", attempts: 1, nextAt },
        { eventId: cursor, sandboxId: "i2", attempts: 3, nextAt: nextAt + 60_000_000 },
      ];
      await settle(store, mine, { cursor, retries, leaseMs: 0 });
      expect(await claim(store, teamId, "a", 0)).toEqual([]);
      expect(await claim(store, teamId, "a")).toMatchObject([{ cursor, retries }]);
      expect(await store.now()).toBeGreaterThanOrEqual(nextAt);
    });

    it("are not told what happened while they were disabled, and a claim ends with the change", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await add(store, teamId, "w1");
      const record = await runOne(store, teamId);
      const [mine] = await claim(store, teamId, "a");
      await store.editWebhook(teamId, "w1", { enabled: false });
      expect(await settle(store, mine, { cursor: mine?.cursor ?? 0 })).toBe(false);
      await edit(store, record, { a: "1" });
      expect(await claim(store, teamId, "a", 0)).toEqual([]);
      await store.editWebhook(teamId, "w1", { enabled: true });
      expect(await claim(store, teamId, "a", 0)).toEqual([]);
      await edit(store, record, { a: "2" });
      expect(await claim(store, teamId, "a")).toHaveLength(1);
    });

    it("keep their last 200 dead letters, the newest first, for as long as they are there", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await add(store, teamId, "w1");
      await runOne(store, teamId);
      const [mine] = await claim(store, teamId, "a");
      expect(await store.listDeadLetters(teamId, "w1")).toEqual([]);
      const letter = (eventId: number) => ({ eventId, sandboxId: "i1", attempts: 3, at: 5, error: 'HTTP "500"' });
      const dead = Array.from({ length: 150 }, (_, n) => letter(n + 1));
      await settle(store, mine, { dead: [...dead, { ...letter(151), payload: '{"a":"é"}' }] });
      await settle(store, mine, { dead: dead.map((one) => ({ ...one, eventId: one.eventId + 151 })) });
      const letters = await store.listDeadLetters(teamId, "w1");
      expect(letters.map(({ eventId }) => eventId)).toEqual(Array.from({ length: 200 }, (_, n) => 301 - n));
      expect(letters[150]).toEqual({ ...letter(151), payload: '{"a":"é"}' });
      await store.removeWebhook(teamId, "w1");
      await add(store, teamId, "w1");
      expect(await store.listDeadLetters(teamId, "w1")).toEqual([]);
    });
  });
}

function add(store: SandboxStore, teamId: string, webhookId: string, changes: Partial<Webhook> = {}): Promise<Webhook> {
  return store.addWebhook({
    teamId,
    webhookId,
    name: "hook",
    url: "https://a.example/hook",
    enabled: true,
    types: ["created", "updated"],
    signatureSecret: "secret",
    ...changes,
  });
}

/** The team's claims; waits for so many. For none it looks for a while. */
async function claim(
  store: SandboxStore,
  teamId: string,
  owner: string,
  count = 1,
  leaseMs = 30_000,
): Promise<WebhookClaim[]> {
  const until = performance.now() + (count === 0 ? 300 : 5000);
  for (;;) {
    const claims = (await store.claimWebhooks(owner, leaseMs, 100)).filter(({ webhook }) => webhook.teamId === teamId);
    if ((count > 0 && claims.length >= count) || performance.now() > until) return claims;
    if (claims.length > 0) return claims;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function settle(
  store: SandboxStore,
  mine: WebhookClaim | undefined,
  outcome: Partial<WebhookOutcome>,
): Promise<boolean> {
  if (mine === undefined) throw new Error("Nothing was claimed");
  return store.settleWebhook(mine, { cursor: mine.cursor, retries: [], dead: [], leaseMs: 30_000, ...outcome });
}
