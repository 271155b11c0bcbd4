import { expect, test } from "vitest";
import { defaultLimits, type EdgeLimits, type ListLiveTokens } from "../index.ts";
import { signed, TokenList } from "../testing/signing.ts";
import { type Found, SignatureSearch } from "./signature-search.ts";
import type { SignedUrl } from "./signed-url.ts";
import { signedUrlOf } from "./signed-url.ts";

const client = "192.0.2.1";
const plenty = { searchesPerClient: 1_000_000, searchesOverall: 1_000_000 };

function searchIn(list: TokenList, limits: Partial<EdgeLimits> = {}): SignatureSearch {
  return new SignatureSearch(list.list, { ...defaultLimits, ...limits });
}

function read(url: string, method = "GET"): SignedUrl {
  const signedUrl = signedUrlOf({ url, method });
  if (signedUrl === undefined) throw new Error("not signed");
  return signedUrl;
}

async function find(search: SignatureSearch, token: string, from = client): Promise<Found> {
  return await search.find(read(signed({ token, path: "a" })), from);
}

test("the sandbox is found whose token signed the path, the operation, the user and the expiration", async () => {
  const list = new TokenList();
  list.fill(2_500);
  list.add("imine", "secret");
  const search = searchIn(list);
  const soon = Math.floor(Date.now() / 1000) + 60;
  for (const signing of [
    { token: "secret", path: "a b+ü/%41:c" },
    { token: "secret" },
    { token: "secret", path: "/x", user: "root", expiration: soon },
  ]) {
    expect(await search.find(read(signed(signing)), client)).toEqual({ sandboxId: "imine" });
    const upload = signed({ ...signing, operation: "write" });
    expect(await search.find(read(upload, "POST"), client)).toEqual({ sandboxId: "imine" });
    expect(await search.find(read(upload), client)).toEqual({ refused: "unknown" });
  }
});

test("an expired URL is refused before anything is looked for", async () => {
  const list = new TokenList();
  const search = searchIn(list);
  const past = Math.floor(Date.now() / 1000) - 1;
  expect(await search.find(read(signed({ token: "x", expiration: past })), client)).toEqual({ refused: "expired" });
  expect(list.asked).toBe(0);
});

test("what has not the form of a signature is refused without a search", async () => {
  const list = new TokenList();
  const search = searchIn(list);
  const good = "A".repeat(43);
  for (const signature of ["", "v1_", `v2_${good}`, `v1_${good}=`, `v1_${"A".repeat(42)}B`, `v1_${good}A`]) {
    const url = `/files?${new URLSearchParams({ path: "a", signature })}`;
    expect(await search.find(read(url), client)).toEqual({ refused: "unknown" });
  }
  expect(list.asked).toBe(0);
});

test("a sandbox that came a moment ago is found, and what is known costs no question", async () => {
  const list = new TokenList();
  list.add("ione", "one");
  const search = searchIn(list);
  expect(await find(search, "one")).toEqual({ sandboxId: "ione" });
  list.add("itwo", "two");
  expect(await find(search, "two")).toEqual({ sandboxId: "itwo" });
  const { asked } = list;
  for (let i = 0; i < 10; i += 1) expect(await find(search, "one")).toEqual({ sandboxId: "ione" });
  expect(list.asked).toBe(asked);
});

test("searches that wait at the same time share one question, and see what was there when they came", async () => {
  const list = new TokenList();
  const gate = Promise.withResolvers<void>();
  // What it answers is from when it was asked.
  const slow: ListLiveTokens = async (after, limit) => {
    const page = await list.list(after, limit);
    await gate.promise;
    return page;
  };
  const search = new SignatureSearch(slow, defaultLimits);
  const first = find(search, "late");
  await new Promise((next) => setImmediate(next));
  expect(list.asked).toBe(1);
  list.add("ilate", "late");
  const others = Array.from({ length: 20 }, () => find(search, "late"));
  await new Promise((next) => setTimeout(next, 20));
  gate.resolve();
  expect(await Promise.all(others)).toEqual(Array.from({ length: 20 }, () => ({ sandboxId: "ilate" })));
  expect(await first).toEqual({ refused: "unknown" });
  expect(list.asked).toBe(2);
});

test("a store that has begun anew is read anew", async () => {
  const list = new TokenList();
  list.add("ione", "one");
  list.add("itwo", "two");
  const search = searchIn(list);
  await find(search, "one");
  list.tokens.splice(0, 2);
  list.epoch += 1;
  list.add("ithree", "three");
  expect(await find(search, "three")).toEqual({ sandboxId: "ithree" });
});

test("sandboxes that are gone stop costing anything once they are many", async () => {
  const list = new TokenList();
  list.fill(1_000);
  const search = searchIn(list, plenty);
  await find(search, "nobody");
  list.removeOldest(900);
  await find(search, "nobody");
  let tried = 0;
  const url = read(signed({ token: "nobody" }));
  const digestFor = (token: string) => {
    tried += 1;
    return url.digestFor(token);
  };
  await search.find({ ...url, digestFor }, client);
  expect(tried).toBe(100);
});

test("every token is tried, wherever the one is that matches", async () => {
  for (const place of [0, 1_500]) {
    const list = new TokenList();
    list.fill(place);
    list.add("imine", "secret");
    list.fill(2_000 - place);
    const search = searchIn(list, plenty);
    await find(search, "nobody");
    const url = read(signed({ token: "secret" }));
    let tried = 0;
    const digestFor = (token: string) => {
      tried += 1;
      return url.digestFor(token);
    };
    expect(await search.find({ ...url, digestFor }, client)).toEqual({ sandboxId: "imine" });
    expect(tried).toBe(2_001);
  }
});

test("others have their turn during a long search", async () => {
  const list = new TokenList();
  list.fill(10_000);
  const search = searchIn(list, plenty);
  await find(search, "nobody");
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 0);
  await find(search, "nobody");
  clearInterval(timer);
  expect(turns).toBeGreaterThan(2);
});

test("beyond the limit nothing is tried or kept, until there are fewer again", async () => {
  const list = new TokenList();
  list.add("imine", "secret");
  list.fill(30);
  const search = searchIn(list, { maxSearchedSandboxes: 30 });
  expect(await find(search, "secret")).toEqual({ refused: "too_many_sandboxes" });
  const { asked } = list;
  for (let i = 0; i < 10; i += 1) await find(search, "secret");
  expect(list.asked).toBe(asked);
  list.tokens.pop();
  await new Promise((later) => setTimeout(later, 1_100));
  expect(await find(search, "secret")).toEqual({ sandboxId: "imine" });
});

test("one client cannot have more than its share, and others still have theirs", async () => {
  const list = new TokenList();
  list.add("imine", "secret");
  const search = searchIn(list, { searchesPerClient: 1_000 });
  const found: Found[] = [];
  for (let i = 0; i < 12; i += 1) found.push(await find(search, "wrong"));
  expect(found.slice(0, 10)).toEqual(new Array(10).fill({ refused: "unknown" }));
  expect(found[11]).toEqual({ refused: "too_often", retryAfterSeconds: 1 });
  expect(await find(search, "secret", "192.0.2.2")).toEqual({ sandboxId: "imine" });
});

test("a client's share is that of its network, where it has many addresses", async () => {
  const list = new TokenList();
  const search = searchIn(list, { searchesPerClient: 1_000 });
  for (let i = 0; i < 10; i += 1) await find(search, "wrong", `2001:db8::${i}:1`);
  expect(await find(search, "wrong", "2001:db8:0:0:ff::9")).toMatchObject({ refused: "too_often" });
  expect(await find(search, "wrong", "2001:db8:0:1::9")).toEqual({ refused: "unknown" });
  for (let i = 0; i < 10; i += 1) await find(search, "wrong", "::ffff:192.0.2.9");
  expect(await find(search, "wrong", "192.0.2.9")).toMatchObject({ refused: "too_often" });
});

test("all clients together cannot have more than is set aside for searches", async () => {
  const list = new TokenList();
  const search = searchIn(list, { searchesOverall: 1_000 });
  for (let i = 0; i < 10; i += 1) await find(search, "wrong", `192.0.2.${i}`);
  expect(await find(search, "wrong", "198.51.100.1")).toMatchObject({ refused: "too_often" });
});

test("a store that does not answer is no proof that a signature is wrong", async () => {
  const list = new TokenList();
  list.add("imine", "secret");
  const search = searchIn(list);
  await find(search, "secret");
  list.away = true;
  await expect(find(search, "new")).rejects.toThrow("no answer");
  expect(await find(search, "secret")).toEqual({ sandboxId: "imine" });
});
