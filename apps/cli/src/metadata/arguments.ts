import { type Metadata, type MetadataDelta, parseMetadata, parseMetadataDelta } from "@castellan/domain";
import { Failure } from "../failure.ts";

/**
 * Reads the edits of `castellan metadata set`: `key=value` sets, `key=` and `key-` remove. The first `=` ends the key;
 * in a key, `\=` stands for `=` and `\\` for `\`, so every key can be written: `a\=b=c` sets `a=b`, `a\=b-` removes it,
 * `k-=v` sets `k-`, `k--` removes `k-`. Values are taken as they are.
 * @throws Failure when an argument is neither, a key is named twice or a limit is exceeded.
 */
export function parseEdits(args: readonly string[]): MetadataDelta {
  const delta = new Map<string, string | null>();
  for (const arg of args) {
    const [key, value] = parseEdit(arg);
    addOnce(delta, key, value);
  }
  return withinLimits(() => parseMetadataDelta(Object.fromEntries(delta)));
}

/**
 * Reads the tags of `--metadata key=value`, written as above. An empty value is a value here.
 * @throws Failure as above.
 */
export function parseTags(args: readonly string[]): Metadata {
  const metadata = new Map<string, string>();
  for (const arg of args) {
    const parts = split(arg);
    if (parts.value === undefined) {
      throw new Failure(`Metadata ${JSON.stringify(arg)} has no "=".`, { fix: "Write it as key=value." });
    }
    addOnce(metadata, parts.key, parts.value);
  }
  return withinLimits(() => parseMetadata(Object.fromEntries(metadata)));
}

/**
 * Reads `--env NAME=value`.
 * @throws Failure when there is no name.
 */
export function parseVariables(args: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    args.map((arg) => {
      const end = arg.indexOf("=");
      if (end < 1) throw new Failure(`The variable ${JSON.stringify(arg)} must be NAME=value.`);
      return [arg.slice(0, end), arg.slice(end + 1)];
    }),
  );
}

function parseEdit(arg: string): [key: string, value: string | null] {
  const { key, value } = split(arg);
  if (value !== undefined) return [key, value === "" ? null : value];
  if (key.endsWith("-")) return [key.slice(0, -1), null];
  throw new Failure(`${JSON.stringify(arg)} says neither what to set nor what to remove.`, {
    fix: "Write key=value to set a key and key- to remove it.",
  });
}

/** The key before the first `=` that is not escaped, and what follows it; no value without such a `=`. */
function split(arg: string): { readonly key: string; readonly value: string | undefined } {
  let key = "";
  for (let at = 0; at < arg.length; at += 1) {
    const character = arg.charAt(at);
    if (character === "=") return { key, value: arg.slice(at + 1) };
    const next = arg.charAt(at + 1);
    if (character === "\\" && (next === "=" || next === "\\")) {
      key += next;
      at += 1;
    } else {
      key += character;
    }
  }
  return { key, value: undefined };
}

function addOnce<T>(entries: Map<string, T>, key: string, value: T): void {
  if (entries.has(key)) throw new Failure(`The key ${JSON.stringify(key)} is named twice.`);
  entries.set(key, value);
}

function withinLimits<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Failure(`${error instanceof Error ? error.message : String(error)}.`, { cause: error });
  }
}
