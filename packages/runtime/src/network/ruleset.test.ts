import { describe, expect, it } from "vitest";
import { commandsOf } from "../host/command.ts";
import { Slots } from "../slots.ts";
import { cannotRun } from "../testing/test-rootfs.ts";
import { parseIpv4Block } from "./addresses.ts";
import { egressRules } from "./egress.ts";
import { addSandboxScript, changeSandboxScript, nodeScript, removeNodeScript, removeSandboxScript } from "./ruleset.ts";

const network = {
  devicePrefix: "ctq",
  subnet: "10.241.64.0/20",
  nameservers: ["192.0.2.53"],
  filter: { http: 31080, tls: 31443 },
  forbidden: [parseIpv4Block("198.51.100.0/24")].flatMap((block) => block ?? []),
};
const slot = new Slots({ ...network, uidBase: 1_000_000 }).describe(18);
const open = egressRules({ allowOut: [], denyOut: [] });
const closed = egressRules({ allowOut: ["10.5.0.0/16", "203.0.113.1"], denyOut: ["0.0.0.0/0", "203.0.113.0/24"] });

function verdicts(script: string): string[] {
  const rule = `add rule inet castellan_ctq sandbox_12 `;
  return script.split("\n").flatMap((line) => (line.startsWith(rule) ? [line.slice(rule.length)] : []));
}

describe("the firewall's scripts", () => {
  it("name nothing but the node's own table and interfaces", () => {
    const scripts = [
      nodeScript(network),
      addSandboxScript(network, slot, open),
      changeSandboxScript(network, slot, closed),
      removeSandboxScript(network, slot),
      removeNodeScript("ctq"),
    ].join("");
    for (const line of scripts.trim().split("\n")) expect(line).toMatch(/^(add|flush|delete) \w+ inet castellan_ctq\b/);
    for (const [, device] of scripts.matchAll(/"([^"]+)"/g)) expect(["ctq-*", "ctq-12"]).toContain(device);
  });

  it("decide in the order: resolver, forbidden, named, protected, allowed, denied, the rest", () => {
    const order = verdicts(changeSandboxScript(network, slot, closed)).map(
      (rule) => rule.split(" { ")[1]?.split(/[ ,]/)[0] ?? rule,
    );
    expect(order).toEqual([
      "ct state new ct count over 4096 drop",
      "198.51.100.0/24",
      "10.5.0.0/16",
      "0.0.0.0/8",
      "10.5.0.0/16",
      "0.0.0.0/0",
      "accept",
    ]);
    expect(verdicts(addSandboxScript(network, slot, open))[1]).toMatch(/^ip daddr { 192.0.2.53 } .*dport 53 accept$/);
  });

  it.skipIf(cannotRun !== undefined)("are taken by nft, in any order of states", async () => {
    const run = commandsOf("/nonexistent");
    const apply = (script: string) => run("nft", ["-f", "-"], { input: script });
    try {
      await apply(nodeScript(network));
      await apply(removeSandboxScript(network, slot));
      await apply(addSandboxScript(network, slot, open) + nodeScript(network));
      await apply(changeSandboxScript(network, slot, closed));
      await apply(changeSandboxScript(network, slot, closed));
      const rules = await run("nft", ["list", "chain", "inet", "castellan_ctq", "sandbox_12"]);
      expect(rules).toContain(
        "ip daddr 203.0.113.1 accept".replace("ip daddr 203.0.113.1", "ip daddr { 10.5.0.0/16, 203.0.113.1 }"),
      );
      await apply(changeSandboxScript(network, slot, open));
      await apply(removeSandboxScript(network, slot));
      await apply(removeSandboxScript(network, slot));
    } finally {
      await apply(removeNodeScript("ctq"));
    }
    expect(await run("nft", ["list", "tables"])).not.toContain("castellan_ctq");
  });
});
