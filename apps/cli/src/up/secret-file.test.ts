import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { apiKeyKind, clusterTokenKind, keepSecret, readSecret } from "./secret-file.ts";

describe("the file that keeps a secret", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-secret-"));
    path = join(directory, "api-key");
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it("gets an API key that every SDK accepts, readable only by its owner, and leaves no draft behind", async () => {
    const { secret, created } = await keepSecret(path, apiKeyKind);
    expect(created).toBe(true);
    expect(secret).toMatch(/^e2b_[0-9a-f]{40}$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, "utf8")).toBe(`${secret}\n`);
    expect(await readdir(directory)).toEqual(["api-key"]);
  });

  it("keeps its secret over later starts", async () => {
    const first = await keepSecret(path, apiKeyKind);
    expect(await keepSecret(path, apiKeyKind)).toEqual({ secret: first.secret, created: false });
    expect(await readSecret(path, apiKeyKind)).toBe(first.secret);
  });

  it("has one secret when several processes make it at once", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => keepSecret(path, clusterTokenKind)));
    expect(new Set(made.map(({ secret }) => secret)).size).toBe(1);
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(await readdir(directory)).toEqual(["api-key"]);
  });

  it("is closed to others when somebody had opened it", async () => {
    await keepSecret(path, apiKeyKind);
    await chmod(path, 0o644);
    await keepSecret(path, apiKeyKind);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("is not overwritten when it holds something else, and the error does not repeat what it holds", async () => {
    await writeFile(path, "e2b_not-a-key-but-a-secret\n");
    const error = await keepSecret(path, apiKeyKind).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/does not hold an API key/);
    expect(String(error)).not.toContain("not-a-key");
    expect(await readFile(path, "utf8")).toBe("e2b_not-a-key-but-a-secret\n");
  });

  it("is not followed through a symbolic link", async () => {
    const elsewhere = join(directory, "elsewhere");
    await keepSecret(elsewhere, apiKeyKind);
    await symlink(elsewhere, path);
    await expect(keepSecret(path, apiKeyKind)).rejects.toThrow(/symbolic link/);
  });

  it("is absent until it is made", async () => {
    expect(await readSecret(path, apiKeyKind)).toBeUndefined();
  });
});
