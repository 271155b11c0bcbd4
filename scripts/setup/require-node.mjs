// Imported first by every script: an older Node should hear what is wrong, not fail somewhere inside.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Castellan needs Node 20.19 or newer to start itself; this is ${process.version}.\n` +
      "Get one from https://nodejs.org/en/download (Debian 12's own package is too old) and run the command again.",
  );
  process.exit(1);
}
if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
  console.error(`Castellan runs on Linux on x64 or arm64; this is ${process.platform} on ${process.arch}.`);
  process.exit(1);
}
