import { CastellanError } from "@castellan/domain";

/** Reading what a store holds: every function throws `internal` when the value is not of its kind. */

export function object(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw malformed("an object", value);
  return value;
}

export function text(value: unknown): string {
  if (typeof value !== "string") throw malformed("a string", value);
  return value;
}

export function optionalText(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : text(value);
}

export function number(value: unknown): number {
  if (typeof value !== "number") throw malformed("a number", value);
  return value;
}

export function optionalNumber(value: unknown): number | undefined {
  return value === undefined || value === null ? undefined : number(value);
}

/** A number written in decimal digits. */
export function decimal(value: unknown): number {
  const parsed = Number(text(value));
  if (!Number.isSafeInteger(parsed)) throw malformed("a whole number", value);
  return parsed;
}

export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed("a list", value);
  return value;
}

export function textList(value: unknown): string[] {
  return list(value).map(text);
}

export function malformed(expected: string, found: unknown): CastellanError {
  return new CastellanError("internal", "A stored record cannot be read", {
    cause: new TypeError(`expected ${expected}, found ${typeof found}`),
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
