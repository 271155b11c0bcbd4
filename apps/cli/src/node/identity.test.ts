import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseHostShare } from "./host-share.ts";
import { keepNodeIdentity } from "./identity.ts";

describe("a node's identity", () => {
  let stateDir: string;
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "castellan-identity-"));
  });
  afterEach(async () => {
    await rm(stateDir, { recursive: true, force: true });
  });

  it("is made once and kept, so that a restarted node can adopt its sandboxes", async () => {
    const made = await keepNodeIdentity(stateDir);
    expect(made.nodeId).toMatch(/^[a-zA-Z0-9._-]{1,64}$/);
    expect(made.devicePrefix).toMatch(/^[a-z0-9]{4}$/);
    expect(made.subnet).toMatch(/^10\.(19[2-9]|2[0-5]\d)\.\d+\.0\/22$/);
    expect(made.uidBase).toBeGreaterThanOrEqual(65_536);
    expect(await keepNodeIdentity(stateDir)).toEqual(made);
    expect(await keepNodeIdentity(stateDir, { nodeId: made.nodeId, subnet: made.subnet })).toEqual(made);
  });

  it("takes what the user wants at first, and refuses to change it under running sandboxes", async () => {
    const wanted = { nodeId: "east-1", devicePrefix: "ea1", subnet: "10.77.0.0/24" };
    expect(await keepNodeIdentity(stateDir, wanted)).toMatchObject(wanted);
    await expect(keepNodeIdentity(stateDir, { devicePrefix: "ea2" })).rejects.toThrow(/devicePrefix ea1, not ea2/);
  });

  it("is not made anew over a file that cannot be read", async () => {
    await writeFile(join(stateDir, "identity.json"), "{}");
    await expect(keepNodeIdentity(stateDir)).rejects.toThrow(/does not hold a node's identity/);
  });
});

describe("a node's share of its machine", () => {
  it("differs from the shares of the machine's other nodes, whatever their directories are called", async () => {
    const shares = [await chooseHostShare("/state")];
    for (let count = 1; count < 16; count += 1) shares.push(await chooseHostShare("/state", shares));
    expect(new Set(shares.map(({ devicePrefix }) => devicePrefix)).size).toBe(16);
    expect(new Set(shares.map(({ subnet }) => subnet)).size).toBe(16);
    const bases = shares.map(({ uidBase }) => uidBase).sort((a, b) => a - b);
    for (const [index, base] of bases.entries()) {
      expect(base - (bases[index - 1] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(512 * 65_536);
    }
  });

  it("keeps away from a block that somebody else has taken a part of or that lies in a larger one", async () => {
    const { subnet, devicePrefix, uidBase } = await chooseHostShare("/state");
    const part = subnet.replace("/22", "/24");
    expect((await chooseHostShare("/state", [{ devicePrefix: "zz", uidBase: 1, subnet: part }])).subnet).not.toBe(
      subnet,
    );
    const whole = { devicePrefix, uidBase, subnet: "10.192.0.0/11" };
    expect((await chooseHostShare("/state", [whole])).subnet).toMatch(/^10\.2(2[4-9]|[345]\d)\./);
    await expect(chooseHostShare("/state", [{ ...whole, subnet: "10.0.0.0/8" }])).rejects.toThrow(/in use throughout/);
  });

  it("has none of this machine's own addresses", async () => {
    const { subnet } = await chooseHostShare("/state");
    const start = subnet.split(".").slice(0, 2).join(".");
    const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
    expect(own.filter((address) => address.startsWith(`${start}.`))).toEqual([]);
  });
});
