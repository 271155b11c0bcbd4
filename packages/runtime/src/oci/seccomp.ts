import { allowedCalls, refusedCalls } from "./syscalls.ts";

/** The `linux.seccomp` section of config.json. */
export interface SeccompProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_GT" | "SCMP_CMP_MASKED_EQ";
}

const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const namespaceFlags = [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
/** Only `unshare` knows CLONE_NEWTIME; in `clone` the bit belongs to the signal. */
const timeNamespaceFlag = 0x80;

/** Local sockets, IPv4, IPv6 and netlink. No raw packets (AF_PACKET), hypervisor (AF_VSOCK) or kernel crypto sockets. */
const socketFamilies = [1, 2, 10, 16];
/** Plain, as a 32-bit machine, as Linux 2.6, both, without address randomisation (debuggers); and the question. */
const personalities = [0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff];

const nativeArchitecture: Partial<Record<NodeJS.Architecture, string>> = {
  x64: "SCMP_ARCH_X86_64",
  arm64: "SCMP_ARCH_AARCH64",
};

/**
 * An allow-list for the machine's own architecture: calls through a foreign one (32-bit programs, x32) end the program.
 * No new namespaces, so a sandbox cannot gain capabilities in one of its own; `clone3` hides its flags behind a pointer
 * where no filter sees them and answers ENOSYS, which makes the C library use `clone`.
 */
export function seccompProfile(arch: NodeJS.Architecture = process.arch): SeccompProfile {
  const architecture = nativeArchitecture[arch];
  if (architecture === undefined) throw new Error(`no system call profile for ${arch}`);
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: ENOSYS,
    architectures: [architecture],
    syscalls: [
      { names: allowedCalls, action: "SCMP_ACT_ALLOW" },
      { names: refusedCalls, action: "SCMP_ACT_ERRNO", errnoRet: EPERM },
      ...unlessFlags("clone", namespaceFlags),
      ...unlessFlags("unshare", [...namespaceFlags, timeNamespaceFlag]),
      ...onlyFamilies(socketFamilies),
      ...personalities.map((value) => allow("personality", { index: 0, value, op: "SCMP_CMP_EQ" })),
    ],
  };
}

/** EPERM when one of the flags is set. */
function unlessFlags(name: string, flags: readonly number[]): SeccompRule[] {
  const all = flags.reduce((sum, flag) => sum | flag, 0);
  return [
    allow(name, { index: 0, value: all, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
    ...flags.map((flag) => refuse(name, EPERM, { index: 0, value: flag, valueTwo: flag, op: "SCMP_CMP_MASKED_EQ" })),
  ];
}

/** The other families fail as on a kernel that does not know them. */
function onlyFamilies(families: readonly number[]): SeccompRule[] {
  const last = Math.max(...families);
  const others = Array.from({ length: last }, (_, family) => family).filter((family) => !families.includes(family));
  return [
    ...families.map((value) => allow("socket", { index: 0, value, op: "SCMP_CMP_EQ" })),
    ...others.map((value) => refuse("socket", EAFNOSUPPORT, { index: 0, value, op: "SCMP_CMP_EQ" })),
    refuse("socket", EAFNOSUPPORT, { index: 0, value: last, op: "SCMP_CMP_GT" }),
  ];
}

function allow(name: string, argument: SeccompArgument): SeccompRule {
  return { names: [name], action: "SCMP_ACT_ALLOW", args: [argument] };
}

function refuse(name: string, errnoRet: number, argument: SeccompArgument): SeccompRule {
  return { names: [name], action: "SCMP_ACT_ERRNO", errnoRet, args: [argument] };
}
