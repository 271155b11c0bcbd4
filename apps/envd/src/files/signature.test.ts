import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestDaemon, type TestDaemon } from "../testing/test-daemon.ts";

const token = "0tQG31xiMp0IOQfaz9dcwi72L1CPo8e0";

/** A signature as clients make it. */
function sign(path: string, operation: string, user = "", expiration?: number | string): Record<string, string> {
  const text = [path, operation, user, token, ...(expiration === undefined ? [] : [expiration])].join(":");
  return {
    path,
    ...(user && { username: user }),
    signature: `v1_${createHash("sha256").update(text).digest("base64").replace(/=+$/, "")}`,
    ...(expiration !== undefined && { signature_expiration: String(expiration) }),
  };
}

describe("a signed URL", () => {
  let daemon: TestDaemon;
  const soon = Math.floor(Date.now() / 1000) + 1_000;
  const past = Math.floor(Date.now() / 1000) - 1_000;

  beforeAll(async () => {
    daemon = await startTestDaemon();
    await daemon.init({ accessToken: token });
  });
  afterAll(() => daemon?.stop());

  const download = async (query: Record<string, string>, headers: Record<string, string> = {}) => {
    const response = await fetch(`${daemon.url}/files?${new URLSearchParams(query)}`, { headers });
    return [response.status, await response.text()];
  };
  const upload = async (query: Record<string, string>) => {
    const body = new FormData();
    body.append("file", "content");
    const response = await fetch(`${daemon.url}/files?${new URLSearchParams(query)}`, { method: "POST", body });
    return [response.status, await response.text()];
  };
  const refusal = (message: string) => [401, JSON.stringify({ code: 401, message })];

  it("lets its holder write and read the file that it names", async () => {
    expect(await upload(sign("a.txt", "write", "user", soon))).toEqual([
      200,
      JSON.stringify([{ name: "a.txt", type: "file", path: `${daemon.home}/a.txt` }]),
    ]);
    expect(await download(sign("a.txt", "read", "user", soon))).toEqual([200, "content"]);
    expect(await download(sign("a.txt", "read"))).toEqual([200, "content"]);
  });

  it("is of no use for another file, user, operation or time", async () => {
    const good = sign("a.txt", "read", "user", soon);
    const changes: Record<string, string>[] = [
      { path: "b.txt" },
      { username: "other" },
      { signature_expiration: String(soon + 1) },
      { signature: `${good["signature"]}=` },
      { signature: "" },
      { signature: sign("a.txt", "write", "user", soon)["signature"] ?? "" },
    ];
    for (const change of changes) {
      expect(await download({ ...good, ...change })).toEqual(refusal("invalid signature"));
    }
    const { signature_expiration: _, ...endless } = good;
    expect(await download(endless)).toEqual(refusal("invalid signature"));
    expect(await upload(good)).toEqual(refusal("invalid signature"));
  });

  it("ends when it says", async () => {
    expect(await download(sign("a.txt", "read", "user", past))).toEqual(refusal("signature is already expired"));
    expect(await upload(sign("a.txt", "write", "user", past))).toEqual(refusal("signature is already expired"));
    for (const malformed of ["soon", "1e99", "+1", " 1", "0x10", "1.5"]) {
      expect((await download(sign("a.txt", "read", "user", malformed)))[0]).toBe(400);
    }
  });

  it("is no way around a wrong token, and opens nothing else", async () => {
    const good = sign("a.txt", "read", "user", soon);
    expect(await download(good, { "x-access-token": "wrong" })).toEqual(
      refusal("access token present in header but does not match"),
    );
    expect(await download({ path: "a.txt" })).toEqual(refusal("missing signature query parameter"));
    const compose = await fetch(`${daemon.url}/files/compose?${new URLSearchParams(good)}`, { method: "POST" });
    expect(compose.status).toBe(401);
    const metrics = await fetch(`${daemon.url}/metrics?${new URLSearchParams(good)}`);
    expect(metrics.status).toBe(401);
  });
});
