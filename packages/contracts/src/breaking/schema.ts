import { isObject, type JsonObject, listAt, objectAt, sameJson } from "./json.ts";

/** Told of one thing that breaks: where in the document, and what in words. */
export type Report = (where: string, what: string) => void;

/**
 * Whether the schema describes what clients send or what they are sent. Sent to us: everything that was valid must stay
 * valid. Sent by us: nothing may come that could not come before, except that clients ignore properties they don't know.
 */
export type Direction = "request" | "response";

/** Reports what a change of a schema breaks. Schemas are those of a dereferenced OpenAPI 3.0 or 3.1 document. */
export function compareSchemas(before: unknown, after: unknown, direction: Direction, where: string, report: Report) {
  if (direction === "request") contained(before, after, { direction, where, report });
  else contained(after, before, { direction, where, report });
}

interface Place {
  readonly direction: Direction;
  readonly where: string;
  readonly report: Report;
}

/**
 * Reports why a value that is valid in `inner` may not be valid in `outer`. For a request `outer` is the new schema, for
 * a response the old one.
 */
function contained(innerSchema: unknown, outerSchema: unknown, place: Place): void {
  const inner = flatten(innerSchema);
  const outer = flatten(outerSchema);
  if (sameJson(inner, outer)) return;
  if (!alternatives(inner, outer, place)) return;
  types(inner, outer, place);
  values(inner, outer, place);
  limits(inner, outer, place);
  texts(inner, outer, place);
  properties(inner, outer, place);
  if (outer["items"] !== undefined) {
    contained(inner["items"], outer["items"], { ...place, where: `${place.where}[]` });
  }
}

/** Wording that fits the direction: a request is narrowed by the new schema, a response is widened by it. */
function say({ direction, where, report }: Place, request: string, response: string): void {
  report(where, direction === "request" ? request : response);
}

function types(inner: JsonObject, outer: JsonObject, place: Place): void {
  const allowed = typesOf(outer);
  if (allowed === undefined) return;
  const possible = typesOf(inner);
  const extra = possible?.filter(
    (type) => !allowed.includes(type) && !(type === "integer" && allowed.includes("number")),
  );
  if (extra === undefined) {
    say(place, `only ${allowed.join(" or ")} is accepted now`, "anything can come now");
  } else if (extra.length > 0) {
    say(place, `${extra.join(" or ")} is no longer accepted`, `${extra.join(" or ")} can come now`);
  }
}

/** Undefined when any type is possible. OpenAPI 3.0 says `nullable`, 3.1 lists `null` among the types. */
function typesOf(schema: JsonObject): readonly string[] | undefined {
  const { type } = schema;
  const listed = Array.isArray(type) ? type : typeof type === "string" ? [type] : undefined;
  if (listed === undefined) return undefined;
  const names = listed.filter((name): name is string => typeof name === "string");
  return schema["nullable"] === true && !names.includes("null") ? [...names, "null"] : names;
}

function values(inner: JsonObject, outer: JsonObject, place: Place): void {
  const allowed = valuesOf(outer);
  if (allowed === undefined) return;
  const possible = valuesOf(inner);
  if (possible === undefined) {
    say(place, "only listed values are accepted now", "values beyond the listed ones can come now");
    return;
  }
  for (const value of possible) {
    if (allowed.some((other) => sameJson(value, other))) continue;
    say(place, `the value ${JSON.stringify(value)} is no longer accepted`, `the value ${JSON.stringify(value)} is new`);
  }
}

function valuesOf(schema: JsonObject): readonly unknown[] | undefined {
  if ("const" in schema) return [schema["const"]];
  const values = schema["enum"];
  return Array.isArray(values) ? values : undefined;
}

const lowerLimits = ["minimum", "minLength", "minItems", "minProperties"];
const upperLimits = ["maximum", "maxLength", "maxItems", "maxProperties"];

function limits(inner: JsonObject, outer: JsonObject, place: Place): void {
  for (const keyword of [...lowerLimits, ...upperLimits]) {
    const bound = outer[keyword];
    if (typeof bound !== "number") continue;
    const had = inner[keyword];
    const tighter =
      typeof had !== "number" ? !isVacuous(keyword, bound) : lowerLimits.includes(keyword) ? bound > had : bound < had;
    if (!tighter) continue;
    const change = `${keyword} ${typeof had === "number" ? `is ${bound} instead of ${had}` : `${bound} is new`}`;
    say(place, change, `${keyword} ${bound} no longer holds`);
  }
  for (const keyword of ["exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "multipleOf"]) {
    const rule = outer[keyword];
    if (rule === undefined || rule === false || sameJson(rule, inner[keyword])) continue;
    say(place, `${keyword} ${String(rule)} is new`, `${keyword} ${String(rule)} no longer holds`);
  }
}

/** Nothing is shorter or fewer than none. */
function isVacuous(keyword: string, bound: number): boolean {
  return keyword.startsWith("min") && keyword !== "minimum" && bound <= 0;
}

function texts(inner: JsonObject, outer: JsonObject, place: Place): void {
  for (const keyword of ["pattern", "format"]) {
    const rule = outer[keyword];
    if (rule === undefined || rule === inner[keyword]) continue;
    say(place, `${keyword} ${String(rule)} is new`, `${keyword} ${String(rule)} no longer holds`);
  }
  // A request without the property means something else than it did.
  const [before, after] = place.direction === "request" ? [inner, outer] : [outer, inner];
  if (place.direction === "request" && "default" in before && !sameJson(before["default"], after["default"])) {
    place.report(place.where, `the default is no longer ${JSON.stringify(before["default"])}`);
  }
}

function properties(inner: JsonObject, outer: JsonObject, place: Place): void {
  const alwaysThere = listAt(inner, "required");
  for (const name of listAt(outer, "required")) {
    if (alwaysThere.includes(name)) continue;
    const at = { ...place, where: `${place.where}.${String(name)}` };
    say(at, "is required now", "is no longer always there");
  }

  const ofInner = objectAt(inner, "properties");
  const ofOuter = objectAt(outer, "properties");
  for (const name of new Set([...Object.keys(ofInner), ...Object.keys(ofOuter)])) {
    const at = { ...place, where: `${place.where}.${name}` };
    const isInner = Object.hasOwn(ofInner, name);
    if (isInner && Object.hasOwn(ofOuter, name)) {
      contained(ofInner[name], ofOuter[name], at);
    } else if (isInner === (place.direction === "request")) {
      // In the old schema and not in the new one.
      at.report(at.where, "is gone");
    }
  }

  const others = outer["additionalProperties"];
  if (isObject(others)) {
    contained(inner["additionalProperties"], others, { ...place, where: `${place.where}.*` });
  } else if (others === false && inner["additionalProperties"] !== false && place.direction === "request") {
    if (typesOf(inner)?.includes("object") ?? true) place.report(place.where, "unknown properties are refused now");
  }
}

/**
 * Handles `oneOf` and `anyOf`: each alternative of `inner` must fit into one of `outer`.
 * @returns whether the keywords beside them can still be compared: not when only one schema has alternatives
 */
function alternatives(inner: JsonObject, outer: JsonObject, place: Place): boolean {
  const ofInner = alternativesOf(inner);
  const ofOuter = alternativesOf(outer);
  if (ofInner === undefined && ofOuter === undefined) return true;
  for (const [index, one] of (ofInner ?? [inner]).entries()) {
    const fits = (ofOuter ?? [outer]).some((other) => {
      let breaks = false;
      contained(one, other, { ...place, report: () => (breaks = true) });
      return !breaks;
    });
    if (!fits) say(place, `alternative ${index + 1} is no longer accepted`, `alternative ${index + 1} can come now`);
  }
  return ofInner !== undefined && ofOuter !== undefined;
}

function alternativesOf(schema: JsonObject): readonly unknown[] | undefined {
  const all = [...listAt(schema, "oneOf"), ...listAt(schema, "anyOf")];
  return all.length === 0 ? undefined : all;
}

const annotations = new Set([
  "title",
  "description",
  "example",
  "examples",
  "deprecated",
  "externalDocs",
  "xml",
  "readOnly",
  "writeOnly",
  "discriminator",
]);

/** The schema without what only explains, and with `allOf` merged in. `true` and nothing at all accept everything. */
function flatten(schema: unknown): JsonObject {
  if (schema === false) return { enum: [] };
  if (!isObject(schema)) return {};
  const { allOf: _, ...own } = schema;
  return [own, ...listAt(schema, "allOf").map(flatten)].reduce<JsonObject>(merge, {});
}

function merge(a: JsonObject, b: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...a };
  for (const [keyword, value] of Object.entries(b)) {
    if (annotations.has(keyword) || keyword.startsWith("x-")) continue;
    const had = merged[keyword];
    if (keyword === "properties" && isObject(had) && isObject(value)) merged[keyword] = { ...had, ...value };
    else if (keyword === "required" && Array.isArray(had) && Array.isArray(value)) merged[keyword] = [...had, ...value];
    else if (typeof had === "number" && typeof value === "number")
      merged[keyword] = keyword.startsWith("min") ? Math.max(had, value) : Math.min(had, value);
    else merged[keyword] = value;
  }
  return merged;
}
