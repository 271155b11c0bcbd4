import { commandsOf } from "../host/command.ts";
import { egressRules } from "../network/egress.ts";
import { addSandboxScript, nodeScript } from "../network/ruleset.ts";
import { Slots } from "../slots.ts";
import { attempted, type Check } from "./check.ts";

const run = commandsOf("probe");

/** The host programs that the runtime calls. */
export function programChecks(init: string): Promise<Check>[] {
  return [
    attempted("runc", "required", "apt-get install runc", async () => {
      const version = /runc version (\d+)\.(\d+)\S*/.exec(await run("runc", ["--version"]));
      if (version === null) throw new Error("runc does not say its version");
      const [text, major, minor] = version;
      if (Number(major) < 1 || (Number(major) === 1 && Number(minor) < 1)) throw new Error(`${text} is older than 1.1`);
      return text;
    }),
    attempted("nft", "required", "apt-get install nftables", async () => {
      // Listing also shows that the kernel has nf_tables and lets this process use it.
      await run("nft", ["list", "tables"]);
      return (await run("nft", ["--version"])).trim();
    }),
    attempted("firewall", "required", "modprobe -a nft_nat nft_masq nft_redir nft_reject_inet nft_connlimit", firewall),
    attempted("ip", "required", "apt-get install iproute2", async () => (await run("ip", ["-V"])).trim()),
    attempted("mkfs.ext4", "required", "apt-get install e2fsprogs", async () => {
      // It writes its version to standard error; that it runs is enough.
      await run("mkfs.ext4", ["-V"]);
      return "present";
    }),
    ...["nsenter", "prlimit", "setpriv", "unshare"].map((program) =>
      attempted(program, "required", "apt-get install util-linux", async () =>
        (await run(program, ["--version"])).trim(),
      ),
    ),
    attempted("tini", "required", "apt-get install tini", async () => (await run(init, ["--version"])).trim()),
  ];
}

/** Loads every kind of rule that a node uses, in a network of its own that goes with the command. */
async function firewall(): Promise<string> {
  const network = {
    devicePrefix: "probe",
    subnet: "10.255.255.0/24",
    nameservers: ["192.0.2.53"],
    forbidden: [],
    filter: { http: 1, tls: 2 },
  };
  const slot = new Slots({ ...network, uidBase: 1_000_000 }).describe(1);
  const rules = egressRules({ allowOut: ["example.com", "192.0.2.1"], denyOut: ["0.0.0.0/0"] });
  const input = nodeScript(network) + addSandboxScript(network, slot, rules);
  await run("unshare", ["--net", "nft", "-f", "-"], { input });
  return "the kernel takes the rules of a sandbox";
}
