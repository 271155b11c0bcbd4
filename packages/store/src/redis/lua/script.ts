import { createHash } from "node:crypto";

/** A Lua script, in the two forms that servers take. */
export interface Script {
  readonly name: string;
  /** For Redis 6.2. */
  readonly plain: Loadable;
  /** For Redis 7 and newer, which then refuse a script that leaves its slot, and one that they have no memory for. */
  readonly strict: Loadable;
}

/** A script's text, and the SHA-1 by which a server that has loaded it runs it. */
export interface Loadable {
  readonly source: string;
  readonly sha1: string;
}

const all: Script[] = [];

/** Every script there is, to load on each new connection. */
export const scripts: readonly Script[] = all;

/** Puts a script together from shared parts and its own body. It is refused when the server has no memory left. */
export function script(name: string, ...parts: readonly string[]): Script {
  return register(name, "", parts);
}

/** The same for one that only reads, which also runs without memory to spare. */
export function readingScript(name: string, ...parts: readonly string[]): Script {
  return register(name, " flags=no-writes", parts);
}

/** The same for one that must go on without memory to spare: it adds little, or leads to something being freed. */
export function upkeepScript(name: string, ...parts: readonly string[]): Script {
  return register(name, " flags=allow-oom", parts);
}

function register(name: string, flags: string, parts: readonly string[]): Script {
  const source = parts.join("\n");
  const made = { name, plain: loadable(source), strict: loadable(`#!lua${flags}\n${source}`) };
  all.push(made);
  return made;
}

function loadable(source: string): Loadable {
  return { source, sha1: createHash("sha1").update(source).digest("hex") };
}
