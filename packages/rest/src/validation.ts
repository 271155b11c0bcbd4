import type { OpenApiOperation, OpenApiParameter, OpenApiSchema } from "@castellan/contracts/document";
import { CastellanError } from "@castellan/domain";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import type { FastifyRequest } from "fastify";
import type { OperationBody, OperationId, OperationParameters } from "./handlers.ts";

/** Reads and checks a request's parameters and body. Both throw `invalid_argument` and say what is wrong. */
export interface RequestReader<Id extends OperationId> {
  parameters(request: FastifyRequest): OperationParameters<Id>;
  body(request: FastifyRequest): OperationBody<Id>;
}

/** Compiles the readers of operations; one compiler for all of them. */
export function createReaderCompiler(): <Id extends OperationId>(
  operation: OpenApiOperation,
  shared: readonly OpenApiParameter[],
) => RequestReader<Id> {
  // Parameters are text and take the type that the contract gives them. A body has types of its own: a 5 stays a 5 and
  // is refused where a string belongs, and a null never becomes "", which here would remove a key.
  const coercing = new Ajv({ strict: false, coerceTypes: true });
  const exact = new Ajv({ strict: false, coerceTypes: false });
  addFormats.default(coercing);
  addFormats.default(exact);

  return <Id extends OperationId>(operation: OpenApiOperation, shared: readonly OpenApiParameter[]) => {
    const parameters = [...shared, ...(operation.parameters ?? [])];
    const validParameters = coercing.compile<OperationParameters<Id>>({
      type: "object",
      properties: {
        params: placeSchema(parameters, "path"),
        query: placeSchema(parameters, "query"),
        headers: placeSchema(parameters, "header"),
      },
    });
    const validBody = exact.compile<{ readonly body: OperationBody<Id> }>(bodySchema(operation));
    const split = parameters.filter((one) => one.in === "query" && one.explode === false).map((one) => one.name);
    const headers = parameters.filter((one) => one.in === "header").map((one) => one.name);

    return {
      parameters(request: FastifyRequest): OperationParameters<Id> {
        const candidate: unknown = {
          params: request.params,
          query: splitQuery(request.query, split),
          headers: pickHeaders(request, headers),
        };
        return accept(validParameters, candidate);
      },
      body(request: FastifyRequest): OperationBody<Id> {
        const candidate: unknown = { body: request.body ?? undefined };
        return accept(validBody, candidate).body;
      },
    };
  };
}

function accept<T>(validate: ValidateFunction<T>, candidate: unknown): T {
  if (validate(candidate)) return candidate;
  throw new CastellanError("invalid_argument", describe(validate.errors?.[0]));
}

function placeSchema(parameters: readonly OpenApiParameter[], place: string): OpenApiSchema {
  const here = parameters.filter((parameter) => parameter.in === place);
  return {
    type: "object",
    properties: Object.fromEntries(here.map((parameter) => [parameter.name, parameter.schema])),
    required: here.filter((parameter) => parameter.required === true).map((parameter) => parameter.name),
  };
}

function bodySchema(operation: OpenApiOperation): OpenApiSchema {
  const [media] = Object.values(operation.requestBody?.content ?? {});
  if (media === undefined) return { type: "object" };
  return {
    type: "object",
    properties: { body: media.schema },
    required: operation.requestBody?.required === true ? ["body"] : [],
  };
}

/** `state=running,paused` for parameters with `explode: false`; repeated ones count too. */
function splitQuery(query: unknown, names: readonly string[]): unknown {
  if (names.length === 0 || typeof query !== "object" || query === null) return query;
  const split = new Map<string, unknown>(Object.entries(query));
  for (const name of names) {
    const value = split.get(name);
    if (value !== undefined)
      split.set(
        name,
        [value].flat().flatMap((part) => String(part).split(",")),
      );
  }
  return Object.fromEntries(split);
}

function pickHeaders(request: FastifyRequest, names: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const name of names) {
    const value = request.headers[name.toLowerCase()];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

function describe(error: ErrorObject | undefined): string {
  if (error === undefined) return "The request is not valid";
  if (error.keyword === "required" && error.instancePath === "") return "A JSON body is required";
  // "/body/timeout" and "/query/limit": where, then what.
  const where = error.instancePath.slice(1, 200) || "request";
  const allowed: unknown = error.params["allowedValues"];
  const values = Array.isArray(allowed) ? `: ${allowed.map(String).join(", ")}` : "";
  return `${where} ${error.message ?? "is not valid"}${values}`;
}
