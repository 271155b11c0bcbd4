import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commandsOf } from "../host/command.ts";
import { cannotRun } from "../testing/test-rootfs.ts";
import { removeInterfaces } from "./wiring.ts";

const run = commandsOf("/nonexistent");

describe.skipIf(cannotRun !== undefined)(`removing interfaces${cannotRun ? ` (${cannotRun})` : ""}`, () => {
  it("takes those that are there, and does not mind those that are gone", async () => {
    await run("ip", ["link", "add", "ctw-1", "type", "veth", "peer", "name", "ctw-p"]);
    await removeInterfaces(run, ["ctw-2", "ctw-1", "ctw-3"]);
    expect(existsSync("/sys/class/net/ctw-1")).toBe(false);
    await removeInterfaces(run, ["ctw-1"]);
  });

  it("does not mind one that goes with its sandbox's network at the same moment", async () => {
    for (let i = 0; i < 20; i += 1) {
      await run("ip", ["netns", "add", "ctwnet"]);
      await run("ip", ["link", "add", "ctw-1", "type", "veth", "peer", "name", "eth0", "netns", "ctwnet"]);
      await Promise.all([run("ip", ["netns", "delete", "ctwnet"]), removeInterfaces(run, ["ctw-1"])]);
      expect(existsSync("/sys/class/net/ctw-1")).toBe(false);
    }
  });

  it("says so when one cannot be removed", async () => {
    await expect(removeInterfaces(run, ["lo"])).rejects.toMatchObject({ code: "internal" });
  });
});
