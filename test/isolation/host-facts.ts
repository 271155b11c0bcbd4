import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

const settings =
  `kernel/core_pattern kernel/modprobe kernel/sysrq kernel/hostname kernel/domainname kernel/randomize_va_space
  net/ipv4/ip_forward net/ipv4/conf/all/rp_filter vm/overcommit_memory kernel/panic fs/suid_dumpable`.split(/\s+/);

/** What no attack may change on the host. */
export async function hostFacts(secretFile: string): Promise<Record<string, string>> {
  const facts: Record<string, string> = { hostname: hostname() };
  for (const name of settings) facts[name] = await readFile(`/proc/sys/${name}`, "utf8").catch(() => "none");
  for (const program of ["/usr/sbin/runc", "/usr/bin/runc", process.execPath, secretFile]) {
    const content = await readFile(program).catch(() => Buffer.alloc(0));
    facts[program] = createHash("sha256").update(content).digest("hex");
  }
  // The clock may only have gone on as the monotonic one did.
  facts["clock, to ten seconds"] = String(
    Math.round((Date.now() - performance.timeOrigin - performance.now()) / 10_000),
  );
  facts["root"] = await readlink("/proc/self/root");
  return facts;
}
