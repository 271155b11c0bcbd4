import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canRunSandboxes, repository } from "../support/stack.ts";
import type { Attack } from "./attack.ts";
import { daemonAttacks } from "./attacks/daemon.ts";
import { hostAttacks } from "./attacks/host.ts";
import { kernelAttacks } from "./attacks/kernel.ts";
import { networkAttacks } from "./attacks/network.ts";
import { hostFacts } from "./host-facts.ts";
import { isolationUnderTest, type Subject, startSubject, tryInside } from "./subject.ts";

const isolation = isolationUnderTest();
const attacks: readonly Attack[] = [...networkAttacks, ...hostAttacks, ...kernelAttacks, ...daemonAttacks];

describe.runIf(canRunSandboxes)(`from inside a sandbox (${isolation}) nobody gets to`, () => {
  let subject: Subject;
  let facts: Record<string, string>;

  beforeAll(async () => {
    subject = await startSubject(isolation);
    facts = await hostFacts(subject.targets.secretFile);
    await subject.attacker.files.write(
      "/opt/prelude.py",
      await readFile(join(import.meta.dirname, "prelude.py"), "utf8"),
      {
        user: "root",
      },
    );
  });
  afterAll(async () => {
    await subject?.dispose();
  });

  const cases = attacks.flatMap((attack) => attack.as.map((user) => [attack.name, user, attack] as const));
  test.each(cases)("%s (as %s)", async (_name, user, { tries, holds, otherwise }) => {
    const program = `/tmp/attack-${user}.py`;
    await subject.attacker.files.write(program, `exec(open("/opt/prelude.py").read())\n${tries}`, { user });
    const ended = await tryInside(subject.attacker, `python3 ${program}`, {
      user,
      envs: { TARGETS: JSON.stringify(subject.targets) },
    });
    const waived = otherwise?.[isolation]?.labels ?? [];
    const reports = reportsIn(ended.stdout).filter(({ label }) => !waived.includes(label));
    expect(reports.filter(({ held }) => !held)).toEqual([]);
    expect(reports.map(({ label }) => label)).toEqual(holds.filter((label) => !waived.includes(label)));
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(await hostFacts(subject.targets.secretFile)).toEqual(facts);
  });

  test("a host file by swapping directories for links while the files API reads and writes", async () => {
    const { attacker, targets } = subject;
    const bait = dirname(targets.secretFile);
    const swapping = `import os, itertools
for target in itertools.cycle([None, "${bait}", "/proc/1/root${bait}", "/proc/1/cwd/../../../..${bait}", "../../../../../../../..${bait}"]):
    os.path.islink("/tmp/swap") and os.unlink("/tmp/swap")
    os.path.isdir("/tmp/swap") and os.rename("/tmp/swap", "/tmp/aside%d" % os.getpid())
    os.mkdir("/tmp/swap") if target is None else os.symlink(target, "/tmp/swap")
    os.path.isdir("/tmp/aside%d" % os.getpid()) and os.system("rm -rf /tmp/aside*")`;
    await attacker.files.write("/tmp/swapping.py", swapping);
    const swapper = await attacker.commands.run("python3 /tmp/swapping.py", { background: true, user: "root" });
    try {
      const before = await readdir(bait);
      const read: unknown[] = [];
      for (let round = 0; round < 25; round += 1) {
        const paths = ["/tmp/swap/secret", "/tmp/swap/new", `/tmp/swap/${round}/deep`];
        const outcomes = await Promise.allSettled([
          ...paths.map((path) => attacker.files.write(path, "from inside")),
          ...paths.map((path) => attacker.files.read(path)),
          ...paths.map((path) => attacker.files.remove(path)),
          attacker.files.list("/tmp/swap"),
          attacker.files.read(targets.secretFile),
        ]);
        read.push(...outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])));
      }
      expect(read.length).toBeGreaterThan(20);
      expect(read).not.toContain("of the host");
      expect(await readFile(targets.secretFile, "utf8")).toBe("of the host");
      expect(await readdir(bait)).toEqual(before);
    } finally {
      await swapper.kill();
    }
  });

  test("what docs/isolation.md does not tell about", async () => {
    const page = await readFile(join(repository, "docs/isolation.md"), "utf8");
    expect(attacks.map(({ name }) => name).filter((name) => !page.includes(name))).toEqual([]);
  });
});

interface Report {
  readonly label: string;
  readonly held: boolean;
  readonly saw: string;
}

function reportsIn(output: string): Report[] {
  return output
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const value: unknown = JSON.parse(line);
      if (typeof value !== "object" || value === null || !("label" in value && "held" in value && "saw" in value)) {
        throw new Error(`Not a report: ${line}`);
      }
      return { label: String(value.label), held: value.held === true, saw: String(value.saw) };
    });
}
