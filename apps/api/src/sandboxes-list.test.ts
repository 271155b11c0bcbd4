import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type Cluster, errorBody, field, startCluster } from "./testing/cluster.ts";

/** As the SDK encodes a filter: each key and value, then the whole, then once more as a URL. */
function filterQuery(tags: Readonly<Record<string, string>>): string {
  const pairs = new URLSearchParams();
  for (const [key, value] of Object.entries(tags)) pairs.set(encodeURIComponent(key), encodeURIComponent(value));
  return `metadata=${encodeURIComponent(pairs.toString())}`;
}

function ids({ body }: Answer): unknown[] {
  if (!Array.isArray(body)) throw new Error(`no list: ${JSON.stringify(body)}`);
  return body.map((one) => field(one, "sandboxID"));
}

describe("listing sandboxes", () => {
  let cluster: Cluster;
  let [first, second, third]: string[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
    first = await cluster.create({ metadata: { team: "red", "a b": "c&d=e", plus: "1+1", umlaut: "ä%20" } });
    second = await cluster.create({ metadata: { team: "red" }, templateID: "default" });
    third = await cluster.create({ metadata: { team: "blue" } });
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const list = (query: string, path = "/v2/sandboxes") => cluster.call("GET", `${path}?${query}`);

  test("the newest comes first, or the oldest when asked", async () => {
    expect(ids(await list(""))).toEqual([third, second, first]);
    expect(ids(await list("order=asc"))).toEqual([first, second, third]);
    expect(ids(await list("", "/sandboxes"))).toEqual([third, second, first]);
  });

  test("each entry has what clients read", async () => {
    const { body } = await list("limit=1");
    expect(body).toEqual([
      {
        isolation: "runc",
        sandboxID: third,
        templateID: "base",
        clientID: expect.any(String),
        startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
        endAt: expect.any(String),
        cpuCount: 2,
        memoryMB: 512,
        diskSizeMB: 1024,
        metadata: { team: "blue" },
        state: "running",
        envdVersion: "0.6.13",
        volumeMounts: [],
      },
    ]);
  });

  test("a filter finds what has all of its tags, whatever characters they hold", async () => {
    expect(ids(await list(filterQuery({ team: "red" })))).toEqual([second, first]);
    expect(ids(await list(filterQuery({ team: "red", "a b": "c&d=e", plus: "1+1", umlaut: "ä%20" })))).toEqual([first]);
    expect(ids(await list(filterQuery({ team: "green" })))).toEqual([]);
    expect(ids(await list(filterQuery({ team: "red" }), "/sandboxes"))).toEqual([second, first]);
  });

  test("a filter of plain characters needs no encoding", async () => {
    expect(ids(await list("metadata=team%3Dred"))).toEqual([second, first]);
    expect(ids(await list("metadata=team=blue"))).toEqual([third]);
  });

  test("a paged walk sees each sandbox once, and has a next token only when there is more", async () => {
    const seen: unknown[] = [];
    let token: string | null = "";
    let pages = 0;
    while (token !== null) {
      const page: Answer = await list(`limit=1${token === "" ? "" : `&nextToken=${encodeURIComponent(token)}`}`);
      seen.push(...ids(page));
      token = page.headers.get("x-next-token");
      pages += 1;
    }
    expect(seen).toEqual([third, second, first]);
    expect(pages).toBe(3);
    const whole = await list("limit=3");
    expect(whole.headers.has("x-next-token")).toBe(false);
  });

  test("the running ones that match are counted, when they were asked for", async () => {
    expect((await list("limit=1")).headers.get("x-total-running")).toBe("3");
    expect((await list(filterQuery({ team: "red" }))).headers.get("x-total-running")).toBe("2");
    const paused = await list("state=paused");
    expect(ids(paused)).toEqual([]);
    expect(paused.headers.has("x-total-running")).toBe(false);
    expect(ids(await list("state=running,paused"))).toHaveLength(3);
  });

  test("a start time and a template narrow the list", async () => {
    const [newest] = Object.values(Object((await list("limit=1")).body));
    const at = encodeURIComponent(String(field(newest, "startedAt")));
    expect(ids(await list(`startedAfter=${at}`))).toEqual([third]);
    expect(ids(await list("template=base"))).toEqual([third, second, first]);
    expect(ids(await list("template=default"))).toEqual([second]);
    expect(ids(await list("template=nope"))).toEqual([]);
  });

  test("another team sees none of them", async () => {
    const key = await cluster.addTeam("team2");
    expect((await cluster.call("GET", "/v2/sandboxes", { key })).body).toEqual([]);
    expect((await cluster.call("GET", "/sandboxes", { key })).body).toEqual([]);
  });

  test.each([
    ["nextToken=nonsense", "Invalid next token"],
    [`nextToken=${Buffer.from("1 asc 5 iabc").toString("base64url")}`, "Invalid next token"],
    ["metadata=novalue", "Error parsing metadata: it must be key=value pairs joined with &"],
    ["metadata=a%3Db%3Dc", "Error parsing metadata: it must be key=value pairs joined with &"],
    ["metadata=a%3D%25zz", "Error parsing metadata: it is not valid percent-encoding"],
    ["limit=0", "query/limit must be >= 1"],
    ["state=gone", /state/],
  ])("%s is refused with 400", async (query, message) => {
    const expected = typeof message === "string" ? message : expect.stringMatching(message);
    expect((await list(query)).body).toEqual(errorBody(400, expected));
  });

  test("an empty filter is no filter", async () => {
    expect(ids(await list("metadata="))).toHaveLength(3);
  });
});

test("the list in one answer is bounded", async () => {
  await using cluster = await startCluster({ limits: { maxListed: 3 } });
  for (let count = 0; count < 5; count += 1) await cluster.create();
  expect(ids(await cluster.call("GET", "/sandboxes"))).toHaveLength(3);
});
