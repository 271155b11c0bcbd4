#!/usr/bin/env node
// Runs the command on the pinned Node of this clone, whatever Node started this file: an older one cannot read
// TypeScript. Plain JavaScript for that reason.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const app = join(dirname(fileURLToPath(import.meta.url)), "..");
const root = join(app, "../..");
const node = join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin/node");

if (!existsSync(node)) {
  console.error(`There is no Node for ${process.platform} ${process.arch} in ${join(root, "node_modules")}.`);
  console.error("Castellan runs on Linux (x64, arm64); install its packages with: npm ci");
  process.exit(1);
}

const child = spawn(
  node,
  ["--conditions=source", "--disable-warning=ExperimentalWarning", join(app, "src/main.ts"), ...process.argv.slice(2)],
  { stdio: "inherit" },
);
child.on("error", (error) => {
  console.error(`${node} cannot be started: ${error.message}`);
  process.exit(1);
});
// Ctrl-C in a terminal reaches both; the command counts two that come together as one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exit(code ?? 128 + constants.signals[signal]);
});
