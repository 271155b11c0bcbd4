import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { apiKeyKind, keepSecret } from "../up/secret-file.ts";
import { findConnection } from "./connection.ts";

describe("the connection of a command", () => {
  let data: string;
  let key: string;
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "castellan-connection-"));
    key = (await keepSecret(join(data, "api-key"), apiKeyKind)).secret;
  });
  afterEach(async () => {
    await rm(data, { recursive: true, force: true });
  });

  it("is what the environment says", async () => {
    const env = { E2B_API_KEY: "e2b_00", E2B_API_URL: "https://a.example/", E2B_SANDBOX_URL: "https://s.example" };
    const expected = { apiKey: "e2b_00", apiUrl: "https://a.example", sandboxUrl: "https://s.example" };
    expect(await findConnection(env)).toEqual(expected);
  });

  it("sends sandbox traffic to the API's origin when nothing else is said", async () => {
    const env = { E2B_API_KEY: "e2b_00", E2B_API_URL: "http://10.0.0.1:3000" };
    expect(await findConnection(env)).toMatchObject({ sandboxUrl: "http://10.0.0.1:3000" });
  });

  it("falls back to the key and the address of the installation on this machine", async () => {
    const env = { CASTELLAN_DATA: data };
    expect(await findConnection(env)).toMatchObject({ apiKey: key, apiUrl: "http://127.0.0.1:3000" });
    await writeFile(join(data, "running.json"), JSON.stringify({ pid: process.pid, url: "http://127.0.0.1:23001" }));
    expect(await findConnection(env)).toMatchObject({ apiKey: key, apiUrl: "http://127.0.0.1:23001" });
  });

  it("never gives this machine's key to another one", async () => {
    const env = { CASTELLAN_DATA: data, E2B_API_URL: "https://elsewhere.example" };
    await expect(findConnection(env)).rejects.toThrow("There is no API key.");
  });

  it("refuses a key and addresses that make no sense, without repeating the key", async () => {
    const wrong = findConnection({ E2B_API_KEY: "e2b_SECRET" });
    await expect(wrong).rejects.toThrow("E2B_API_KEY must be e2b_ and lower-case hex digits.");
    await expect(findConnection({ E2B_API_KEY: "e2b_00", E2B_API_URL: "localhost:3000" })).rejects.toThrow(
      /E2B_API_URL "localhost:3000" must be an origin/,
    );
  });
});
