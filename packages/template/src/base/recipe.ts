/**
 * What the base template holds. Everything in this file is part of the build's hash: editing it makes the next start
 * build anew.
 */

/** Bump when the builder itself changes what it writes without this file changing. */
const formatVersion = 1;

export const debianSuite = "bookworm";

/**
 * What code written for E2B's own base finds there. The compiler and headers are most of the size (200 MB of 550, once
 * per machine) and stay: without them a `pip install` or `npm install` that compiles anything fails.
 */
export const debianPackages = [
  "bash-completion",
  "build-essential",
  "ca-certificates",
  "curl",
  "file",
  "git",
  "iproute2",
  "iputils-ping",
  "jq",
  "less",
  "libstdc++6",
  "nano",
  "netbase",
  "openssh-client",
  "procps",
  "psmisc",
  "python-is-python3",
  "python3",
  "python3-dev",
  "python3-pip",
  "python3-venv",
  "sudo",
  "unzip",
  "vim-tiny",
  "wget",
  "xz-utils",
  "zip",
] as const;

/** Nobody reads manuals in a sandbox; the file system is rebuilt, never repaired, so dpkg need not sync every file. */
export const dpkgOptions = [
  "force-unsafe-io",
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/info/*",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
  "path-exclude=/usr/share/locale/*",
] as const;

/** The registry's own name and checksum of the npm that goes beside Node. */
export const npmRelease = {
  version: "11.19.1",
  integrity: "sha512-ztsxKxt/kkIaAs+2i0GU6I+DRmUdrNasxTZKJe9TCdSjKxlhah/4r/hl5ygMD6XAg1qZ9c2TNomR4qgOydp10g==",
} as const;

/** The account that commands run as unless they ask for another. */
export const sandboxUser = { name: "user", id: 1000, home: "/home/user" } as const;

/** Files of the root filesystem that Debian does not bring, root's and world-readable. */
export const files: Readonly<Record<string, { readonly content: string; readonly mode: number }>> = {
  "/etc/hostname": { content: "sandbox\n", mode: 0o644 },
  "/etc/hosts": {
    content: "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost ip6-loopback\n",
    mode: 0o644,
  },
  // The node puts its own over it; without any, look-ups wait for a name server on the loopback.
  "/etc/resolv.conf": { content: "", mode: 0o644 },
  "/etc/default/locale": { content: "LANG=C.UTF-8\n", mode: 0o644 },
  "/etc/profile.d/sandbox.sh": {
    content: '[ -n "$LANG" ] || export LANG=C.UTF-8\nexport PATH="$HOME/.local/bin:$PATH"\n',
    mode: 0o644,
  },
  "/etc/sudoers.d/user": { content: `${sandboxUser.name} ALL=(ALL:ALL) NOPASSWD: ALL\n`, mode: 0o440 },
  // The whole system is disposable, so pip need not protect Debian's packages from the user's.
  "/etc/pip.conf": {
    content: "[global]\nbreak-system-packages = true\ndisable-pip-version-check = true\n",
    mode: 0o644,
  },
  "/usr/local/etc/npmrc": { content: "fund=false\nupdate-notifier=false\n", mode: 0o644 },
};

/** Defaults of E2B's own templates, except for the disk. */
export const baseSettings = {
  templateId: "base",
  aliases: ["base"],
  cpuCount: 2,
  memoryMb: 1024,
  diskMb: 2048,
  envdVersion: "0.6.13",
  source: `debian:${debianSuite}`,
} as const;

/** All that decides the files of the result, for the build's hash. */
export function recipe(nodeVersion: string): unknown {
  return {
    formatVersion,
    architecture: process.arch,
    debianSuite,
    debianPackages,
    dpkgOptions,
    npmRelease,
    nodeVersion,
    sandboxUser,
    files,
  };
}
