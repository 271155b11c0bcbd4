import { CastellanError } from "@castellan/domain";
import { ConnectError } from "@connectrpc/connect";

/** The same text for equal values, whatever the order of keys: what states are compared by. */
export function canonical(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  if (value instanceof CastellanError) return `!${value.code}:${value.message}`;
  if (value instanceof ConnectError) return `!${value.code}:${value.rawMessage}`;
  if (value instanceof Uint8Array) return `x${Buffer.from(value).toString("hex")}`;
  if (value instanceof Map) return `{${entriesOf(value.entries())}}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  return `{${entriesOf(Object.entries(value))}}`;
}

const names = new WeakMap<object, string>();
const namesByText = new Map<string, string>();

/**
 * A short name, the same for equal values. It is found at once for an object that was named before, which must not have
 * been changed since.
 */
export function nameOf(value: object): string {
  let name = names.get(value);
  if (name === undefined) {
    const text = canonical(value);
    name = namesByText.get(text) ?? `#${namesByText.size}`;
    namesByText.set(text, name);
    names.set(value, name);
  }
  return name;
}

/** Gives equal values the same small number. */
export class Interner<T extends object> {
  readonly #ids = new Map<string, number>();
  readonly #values: T[] = [];

  get size(): number {
    return this.#values.length;
  }

  id(value: T, text: string = nameOf(value)): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#values.push(value) - 1;
    this.#ids.set(text, id);
    return id;
  }

  value(id: number): T {
    const value = this.#values[id];
    if (value === undefined) throw new Error(`nothing has the number ${id}`);
    return value;
  }
}

function entriesOf(entries: Iterable<readonly [unknown, unknown]>): string {
  return [...entries]
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${JSON.stringify(key)}:${canonical(value)}`)
    .sort()
    .join();
}
