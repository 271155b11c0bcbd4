import { commandsOf } from "../host/command.ts";
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
