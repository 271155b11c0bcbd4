import { isObject, type JsonObject, listAt, objectAt, sameJson } from "./json.ts";
import { compareSchemas, type Report } from "./schema.ts";

/** One way in which a client that worked against the old document may fail against the new one. */
export interface BreakingChange {
  /** Operation and place in it: `POST /sandboxes request .timeout`. */
  readonly where: string;
  readonly what: string;
}

const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/**
 * What changed between two dereferenced OpenAPI documents (3.0 or 3.1) so that existing clients may break. Additions
 * (paths, operations, statuses, optional properties and parameters, wider requests, narrower responses) are none.
 * Recursive schemas, which dereferencing leaves as `$ref`, are compared by name.
 */
export function findBreakingChanges(before: JsonObject, after: JsonObject): readonly BreakingChange[] {
  const changes: BreakingChange[] = [];
  const report: Report = (where, what) => changes.push({ where, what });
  const newPaths = byWirePath(objectAt(after, "paths"));
  for (const [key, { path, item }] of byWirePath(objectAt(before, "paths"))) {
    const newItem = newPaths.get(key)?.item;
    if (newItem === undefined) {
      report(path, "is gone");
      continue;
    }
    for (const method of methods.filter((name) => isObject(item[name]))) {
      const where = `${method.toUpperCase()} ${path}`;
      if (isObject(newItem[method])) {
        compareOperations(effective(before, item, method), effective(after, newItem, method), where, report);
      } else {
        report(where, "is gone");
      }
    }
  }
  return changes;
}

/** Parameters' names in paths do not travel, so they are no part of the key. */
function byWirePath(paths: JsonObject): Map<string, { readonly path: string; readonly item: JsonObject }> {
  const entries = Object.entries(paths).filter((entry): entry is [string, JsonObject] => isObject(entry[1]));
  return new Map(entries.map(([path, item]) => [path.replaceAll(/\{[^}]*\}/g, "{}"), { path, item }]));
}

/** The operation with what its path item and the document say for it. */
function effective(document: JsonObject, item: JsonObject, method: string): JsonObject {
  const operation = objectAt(item, method);
  return {
    ...operation,
    parameters: [...listAt(item, "parameters"), ...listAt(operation, "parameters")],
    security: operation["security"] ?? document["security"] ?? [],
  };
}

function compareOperations(before: JsonObject, after: JsonObject, where: string, report: Report): void {
  if (before["operationId"] !== after["operationId"]) {
    report(where, `operationId is no longer ${String(before["operationId"])}, the name in generated clients`);
  }
  compareParameters(before, after, where, report);
  compareRequestBodies(objectAt(before, "requestBody"), objectAt(after, "requestBody"), `${where} request`, report);
  compareResponses(objectAt(before, "responses"), objectAt(after, "responses"), where, report);
  compareSecurity(listAt(before, "security"), listAt(after, "security"), where, report);
}

function compareParameters(before: JsonObject, after: JsonObject, where: string, report: Report): void {
  const newOnes = byPlaceAndName(after);
  const oldOnes = byPlaceAndName(before);
  for (const [key, parameter] of oldOnes) {
    const at = `${where} ${key}`;
    const newOne = newOnes.get(key);
    if (newOne === undefined) {
      report(at, "is gone");
      continue;
    }
    if (newOne["required"] === true && parameter["required"] !== true) report(at, "is required now");
    for (const keyword of ["style", "explode"]) {
      if (!sameJson(parameter[keyword], newOne[keyword])) report(at, `is written differently (${keyword})`);
    }
    compareSchemas(parameter["schema"], newOne["schema"], "request", at, report);
  }
  for (const [key, parameter] of newOnes) {
    if (!oldOnes.has(key) && parameter["required"] === true) report(`${where} ${key}`, "is new and required");
  }
}

/** `query limit`; parameters of the path by position, since their names do not travel. */
function byPlaceAndName(operation: JsonObject): Map<string, JsonObject> {
  const parameters = listAt(operation, "parameters").filter(isObject);
  let position = 0;
  return new Map(
    parameters.map((parameter) => {
      const place = String(parameter["in"]);
      position += place === "path" ? 1 : 0;
      const name = place === "path" ? String(position) : String(parameter["name"]);
      return [`${place} ${place === "header" ? name.toLowerCase() : name}`, parameter];
    }),
  );
}

function compareRequestBodies(before: JsonObject, after: JsonObject, where: string, report: Report): void {
  if (after["required"] === true && before["required"] !== true) report(where, "a body is required now");
  const newContent = objectAt(after, "content");
  for (const [type, media] of Object.entries(objectAt(before, "content"))) {
    const newMedia = newContent[type];
    if (!isObject(newMedia)) report(where, `${type} is no longer accepted`);
    else if (isObject(media)) compareSchemas(media["schema"], newMedia["schema"], "request", where, report);
  }
}

function compareResponses(before: JsonObject, after: JsonObject, where: string, report: Report): void {
  for (const [status, response] of Object.entries(before)) {
    const at = `${where} ${status}`;
    const newResponse = after[status];
    if (!isObject(newResponse)) {
      report(at, "is gone");
      continue;
    }
    if (!isObject(response)) continue;
    const newHeaders = objectAt(newResponse, "headers");
    for (const [name, header] of Object.entries(objectAt(response, "headers"))) {
      const newHeader = newHeaders[name];
      if (!isObject(newHeader)) report(`${at} header ${name}`, "is gone");
      else if (isObject(header)) {
        compareSchemas(header["schema"], newHeader["schema"], "response", `${at} header ${name}`, report);
      }
    }
    const newContent = objectAt(newResponse, "content");
    for (const [type, media] of Object.entries(objectAt(response, "content"))) {
      const newMedia = newContent[type];
      if (!isObject(newMedia)) report(at, `${type} is gone`);
      else if (isObject(media)) compareSchemas(media["schema"], newMedia["schema"], "response", at, report);
    }
  }
}

/** Each alternative that let a client in must still do so; no requirement at all is the alternative `{}`. */
function compareSecurity(before: readonly unknown[], after: readonly unknown[], where: string, report: Report): void {
  const newAlternatives = after.length === 0 ? [{}] : after;
  for (const alternative of before.length === 0 ? [{}] : before) {
    const stillEnough = newAlternatives.some(
      (other) =>
        isObject(other) &&
        isObject(alternative) &&
        Object.keys(other).every((scheme) => Object.hasOwn(alternative, scheme)),
    );
    if (stillEnough || !isObject(alternative)) continue;
    const names = Object.keys(alternative);
    report(where, names.length === 0 ? "needs a credential now" : `${names.join(" with ")} is no longer enough`);
  }
}
