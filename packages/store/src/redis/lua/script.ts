import { createHash } from "node:crypto";

/** A Lua script and the SHA-1 by which a server that has loaded it runs it. */
export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
}

const all: Script[] = [];

/** Every script there is, to load on each new connection. */
export const scripts: readonly Script[] = all;

/** Puts a script together from shared parts and its own body. */
export function script(name: string, ...parts: readonly string[]): Script {
  const source = parts.join("\n");
  const made = { name, source, sha1: createHash("sha1").update(source).digest("hex") };
  all.push(made);
  return made;
}
