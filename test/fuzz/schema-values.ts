import type { OpenApiSchema } from "@castellan/contracts/document";
import type { Dice } from "./dice.ts";

/** A value that the schema allows, often at one of its limits. Properties that may be left out are, half the time. */
export function allowedValue(schema: OpenApiSchema, dice: Dice): unknown {
  if (schema["nullable"] === true && dice.oneIn(6)) return null;
  const allowed = schema["enum"];
  if (Array.isArray(allowed)) return allowed[dice.int(0, allowed.length - 1)];
  switch (schema["type"]) {
    case "string":
      return stringOf(schema, dice);
    case "integer":
    case "number":
      return dice.int(number(schema["minimum"], -5), number(schema["maximum"], 100_000));
    case "boolean":
      return dice.oneIn(2);
    case "array": {
      const length = dice.oneIn(8) ? number(schema["maxItems"], 40) : dice.int(0, 3);
      return Array.from({ length }, () => allowedValue(subschema(schema["items"]), dice));
    }
    case "object":
      return allowedObject(schema, dice);
    default:
      return dice.json();
  }
}

/** A value that the schema forbids somewhere, or that lies just outside its limits. */
export function forbiddenValue(schema: OpenApiSchema, dice: Dice): unknown {
  if (schema["type"] === "object" && !dice.oneIn(4)) return forbiddenObject(schema, dice);
  if (schema["type"] === "array" && !dice.oneIn(3)) {
    const beyond = Array.from({ length: number(schema["maxItems"], 300) + 1 }, () => "1.2.3.4");
    return dice.pick([beyond, [forbiddenValue(subschema(schema["items"]), dice)], [[]], { length: 1 }]);
  }
  if (schema["type"] === "string" && dice.oneIn(3)) return "v".repeat(number(schema["maxLength"], 70_000) + 1);
  if (schema["type"] === "integer" && dice.oneIn(2)) {
    return dice.pick([
      number(schema["minimum"], 0) - 1,
      number(schema["maximum"], 2 ** 31) + 1,
      1.5,
      1e308,
      -0,
      2 ** 53,
    ]);
  }
  return dice.pick([null, true, 5, "", "5", [], {}, [[[]]], { toString: "x" }, dice.json(), -1e21]);
}

function stringOf(schema: OpenApiSchema, dice: Dice): string {
  if (schema["format"] === "date-time") {
    return dice.pick(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+02:00", "9999-12-31T23:59:59Z"]);
  }
  const min = number(schema["minLength"], 0);
  const max = number(schema["maxLength"], 64);
  if (dice.oneIn(8)) return "m".repeat(max);
  return dice.text(Math.min(max, 40)).padEnd(min, "p");
}

function allowedObject(schema: OpenApiSchema, dice: Dice): Record<string, unknown> {
  const required = names(schema["required"]);
  const entries: [string, unknown][] = [];
  for (const [name, property] of Object.entries(subschema(schema["properties"]))) {
    if (required.includes(name) || dice.oneIn(3)) entries.push([name, allowedValue(subschema(property), dice)]);
  }
  const extra = schema["additionalProperties"];
  if (typeof extra === "object") {
    const length = dice.int(0, 4);
    for (let at = 0; at < length; at++) entries.push([awkwardKey(dice), allowedValue(subschema(extra), dice)]);
  }
  return Object.fromEntries(entries);
}

function forbiddenObject(schema: OpenApiSchema, dice: Dice): unknown {
  const whole = allowedObject(schema, dice);
  const properties = Object.entries(subschema(schema["properties"]));
  const entries = Object.entries(whole);
  const extra = schema["additionalProperties"];
  switch (dice.int(0, 3)) {
    case 0: {
      const [name] = names(schema["required"]);
      return Object.fromEntries(entries.filter(([key]) => key !== name));
    }
    case 1:
      return Object.fromEntries([...entries, [awkwardKey(dice), dice.json()]]);
    case 2:
      if (typeof extra === "object") {
        return Object.fromEntries([...entries, [awkwardKey(dice), forbiddenValue(subschema(extra), dice)]]);
      }
      break;
  }
  const chosen = properties[dice.int(0, Math.max(0, properties.length - 1))];
  if (chosen === undefined) return [whole];
  const [name, property] = chosen;
  return Object.fromEntries([...entries, [name, forbiddenValue(subschema(property), dice)]]);
}

/** Keys that some code takes for something else. */
export function awkwardKey(dice: Dice): string {
  const known = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "0", "-1", "", "a.b", "$ref"];
  return dice.oneIn(3) ? dice.text(12) : (known[dice.int(0, known.length - 1)] ?? "");
}

function subschema(value: unknown): OpenApiSchema {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function number(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
