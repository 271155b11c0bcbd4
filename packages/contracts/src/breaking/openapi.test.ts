import { describe, expect, it } from "vitest";
import { openapiDocument } from "../gen/openapi-document.ts";
import { isObject, type JsonObject } from "./json.ts";
import { findBreakingChanges } from "./openapi.ts";

/** A document with one operation, whose request and response are the given schemas. */
function documentWith(request: unknown, response: unknown = {}, operation: JsonObject = {}): JsonObject {
  return {
    openapi: "3.0.3",
    paths: {
      "/things/{id}": {
        post: {
          operationId: "makeThing",
          parameters: [{ in: "query", name: "limit", schema: { type: "integer", minimum: 1, maximum: 100 } }],
          requestBody: { content: { "application/json": { schema: request } } },
          responses: { "200": { content: { "application/json": { schema: response } } }, "404": {} },
          ...operation,
        },
      },
    },
  };
}

function breaks(before: JsonObject, after: JsonObject): readonly string[] {
  return findBreakingChanges(before, after).map(({ where, what }) => `${where}: ${what}`);
}

const object = (properties: JsonObject, required: readonly string[] = []) => ({
  type: "object",
  properties,
  required,
});
const text = { type: "string" };

describe("what clients send must stay valid", () => {
  it.each<[string, unknown, unknown, RegExp]>([
    ["a property is gone", object({ a: text }), object({}), /\.a: is gone/],
    ["a property is required now", object({ a: text }), object({ a: text }, ["a"]), /\.a: is required now/],
    ["a new property is required", object({}), object({ a: text }, ["a"]), /\.a: is required now/],
    [
      "a type is narrowed",
      object({ a: { type: "number" } }),
      object({ a: { type: "integer" } }),
      /number is no longer/,
    ],
    ["null is refused", { ...text, nullable: true }, text, /null is no longer accepted/],
    ["null is refused, in the words of 3.1", { type: ["string", "null"] }, text, /null is no longer accepted/],
    ["a value is gone", { enum: ["a", "b"] }, { enum: ["a"] }, /"b" is no longer accepted/],
    ["values are listed for the first time", text, { ...text, enum: ["a"] }, /only listed values/],
    ["an upper limit falls", { ...text, maxLength: 9 }, { ...text, maxLength: 8 }, /maxLength is 8 instead of 9/],
    ["an upper limit appears", text, { ...text, maxLength: 8 }, /maxLength 8 is new/],
    ["a lower limit rises", { type: "integer", minimum: 0 }, { type: "integer", minimum: 1 }, /minimum is 1/],
    ["a pattern appears", text, { ...text, pattern: "^a" }, /pattern \^a is new/],
    ["a format appears", text, { ...text, format: "uuid" }, /format uuid is new/],
    ["a default changes", { ...text, default: "a" }, { ...text, default: "b" }, /default is no longer "a"/],
    [
      "unknown properties are refused",
      object({}),
      { ...object({}), additionalProperties: false },
      /unknown properties/,
    ],
    [
      "values of a map are narrowed",
      { type: "object", additionalProperties: { ...text, nullable: true } },
      { type: "object", additionalProperties: text },
      /\.\*: null is no longer/,
    ],
    ["items are narrowed", { type: "array", items: {} }, { type: "array", items: text }, /\[\]: only string/],
    ["an alternative is gone", { oneOf: [text, { type: "integer" }] }, text, /alternative 2 is no longer accepted/],
    ["a member of allOf narrows", { allOf: [text] }, { allOf: [text, { maxLength: 3 }] }, /maxLength 3 is new/],
  ])("breaks when %s", (_, before, after, expected) => {
    expect(breaks(documentWith(before), documentWith(after))).toEqual([expect.stringMatching(expected)]);
  });

  it.each<[string, unknown, unknown]>([
    ["a property is added", object({ a: text }), object({ a: text, b: text })],
    ["a property is no longer required", object({ a: text }, ["a"]), object({ a: text })],
    ["a type is widened", { type: "integer" }, { type: "number" }],
    ["null is accepted", text, { ...text, nullable: true }],
    ["a value is added", { enum: ["a"] }, { enum: ["a", "b"] }],
    ["a limit is raised", { ...text, maxLength: 8 }, { ...text, maxLength: 9 }],
    ["a limit goes", { ...text, minLength: 1 }, text],
    ["a pattern goes", { ...text, pattern: "^a" }, text],
    ["an alternative is added", text, { oneOf: [text, { type: "integer" }] }],
    ["only the words change", { ...text, description: "a" }, { ...text, description: "b", example: "c" }],
    ["allOf is written out", { allOf: [object({ a: text }), { required: ["a"] }] }, object({ a: text }, ["a"])],
  ])("does not break when %s", (_, before, after) => {
    expect(breaks(documentWith(before), documentWith(after))).toEqual([]);
  });
});

describe("what clients are sent must stay what they know", () => {
  it.each<[string, unknown, unknown, RegExp]>([
    ["a property is gone", object({ a: text }), object({}), /\.a: is gone/],
    ["a property may be missing", object({ a: text }, ["a"]), object({ a: text }), /\.a: is no longer always there/],
    ["a type is widened", { type: "integer" }, { type: "number" }, /number can come now/],
    ["null can come", text, { ...text, nullable: true }, /null can come now/],
    ["a value is new", { enum: ["a"] }, { enum: ["a", "b"] }, /"b" is new/],
    ["a limit no longer holds", { type: "integer", maximum: 9 }, { type: "integer" }, /maximum 9 no longer holds/],
    ["a format no longer holds", { ...text, format: "date-time" }, text, /format date-time no longer holds/],
  ])("breaks when %s", (_, before, after, expected) => {
    expect(breaks(documentWith({}, before), documentWith({}, after))).toEqual([expect.stringMatching(expected)]);
  });

  it.each<[string, unknown, unknown]>([
    ["a property is added", object({ a: text }), object({ a: text, b: text })],
    ["a property is always there", object({ a: text }), object({ a: text }, ["a"])],
    ["a value is no longer used", { enum: ["a", "b"] }, { enum: ["a"] }],
    ["null no longer comes", { ...text, nullable: true }, text],
  ])("does not break when %s", (_, before, after) => {
    expect(breaks(documentWith({}, before), documentWith({}, after))).toEqual([]);
  });
});

describe("operations", () => {
  const before = documentWith({}, {}, { security: [] });
  const parameter = (change: JsonObject) => ({ in: "query", name: "limit", schema: { type: "integer" }, ...change });

  it.each<[string, JsonObject, RegExp]>([
    ["a status is gone", { responses: { "200": {} } }, /POST \/things\/\{id\} 404: is gone/],
    ["a parameter is gone", { parameters: [] }, /query limit: is gone/],
    ["a parameter is required now", { parameters: [parameter({ required: true })] }, /limit: is required now/],
    [
      "a new parameter is required",
      { parameters: [parameter({}), parameter({ name: "x", required: true })] },
      /query x/,
    ],
    ["a parameter is narrowed", { parameters: [parameter({ schema: text })] }, /integer is no longer accepted/],
    ["a parameter is written differently", { parameters: [parameter({ explode: false })] }, /written differently/],
    ["a body is required now", { requestBody: { required: true, content: {} } }, /a body is required/],
    ["a media type is no longer accepted", { requestBody: { content: {} } }, /application\/json is no longer accepted/],
    ["a credential is needed", { security: [{ ApiKey: [] }] }, /needs a credential now/],
    ["its name in generated clients changes", { operationId: "createThing" }, /no longer makeThing/],
  ])("break when %s", (_, change, expected) => {
    const after = documentWith({}, {}, { security: [], ...change });
    expect(breaks(before, after)).toContainEqual(expect.stringMatching(expected));
  });

  it("break when a method or a path is gone", () => {
    expect(breaks(before, { paths: { "/things/{id}": {} } })).toEqual(["POST /things/{id}: is gone"]);
    expect(breaks(before, { paths: {} })).toEqual(["/things/{id}: is gone"]);
  });

  it("do not break when a path's parameter is renamed, or when something is added", () => {
    const added = documentWith(
      {},
      {},
      {
        security: [],
        parameters: [parameter({ schema: { type: "integer" } }), parameter({ name: "x" })],
        responses: { "200": { content: { "application/json": { schema: {} } } }, "404": {}, "429": {} },
      },
    );
    const paths = added["paths"];
    const item = isObject(paths) ? paths["/things/{id}"] : undefined;
    expect(breaks(before, { ...added, paths: { "/things/{thingID}": item, "/others": item } })).toEqual([]);
  });
});

describe("the project's own document", () => {
  const current: JsonObject = { ...openapiDocument };
  const changed = (pattern: string, replacement: string): JsonObject => {
    const text = JSON.stringify(openapiDocument);
    expect(text).toContain(pattern);
    const document: unknown = JSON.parse(text.replaceAll(pattern, replacement));
    if (!isObject(document)) throw new Error("not a document");
    return document;
  };

  it("does not break against itself", () => {
    expect(findBreakingChanges(current, current)).toEqual([]);
  });

  it("breaks when a path or a property is renamed", () => {
    expect(findBreakingChanges(current, changed('"/v2/sandboxes"', '"/v9/sandboxes"'))).not.toEqual([]);
    expect(findBreakingChanges(current, changed('"appliedRevision"', '"confirmedRevision"'))).not.toEqual([]);
  });

  it("does not break when a description changes", () => {
    expect(findBreakingChanges(current, changed("Create a sandbox", "Make a sandbox"))).toEqual([]);
  });
});
