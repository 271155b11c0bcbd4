import type { OpenApiDocument, OpenApiOperation, OpenApiParameter } from "@castellan/contracts/document";
import { CastellanError } from "@castellan/domain";
import type { FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import type { Handlers, OperationId, PublicOperationId } from "./handlers.ts";

/** An operation of the document, ready to be routed. */
export interface Operation {
  readonly operationId: OperationId;
  readonly method: HTTPMethods;
  /** As fastify writes it. */
  readonly url: string;
  readonly definition: OpenApiOperation;
  /** Parameters that the path shares among its methods. */
  readonly shared: readonly OpenApiParameter[];
  /** Media types of the body; empty where there is none. */
  readonly media: readonly string[];
  readonly matches: (path: string) => boolean;
}

const verbs = { get: "GET", post: "POST", put: "PUT", patch: "PATCH", delete: "DELETE" } as const;
const verbNames = ["get", "post", "put", "patch", "delete"] as const;

/** Reads the operations, and fails at start where document and handlers disagree. */
export function readOperations(document: OpenApiDocument, handlers: Handlers): Operation[] {
  const operations: Operation[] = [];
  const isHandled = (id: string): id is OperationId => Object.hasOwn(handlers, id);
  for (const [path, item] of Object.entries(document.paths)) {
    const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`);
    for (const name of verbNames) {
      const definition = item[name];
      if (definition === undefined) continue;
      const { operationId } = definition;
      if (!isHandled(operationId)) throw new Error(`Nothing handles the operation ${operationId}`);
      if (isPublic(operationId) !== (definition.security?.length === 0)) {
        throw new Error(`Document and server disagree on who may call ${operationId}`);
      }
      operations.push({
        operationId,
        method: verbs[name],
        url: path.replace(/\{(\w+)\}/g, ":$1"),
        definition,
        shared: item.parameters ?? [],
        media: Object.keys(definition.requestBody?.content ?? {}),
        matches: (candidate) => pattern.test(candidate),
      });
    }
  }
  return operations;
}

/** Whether the operation needs no API key. */
export function isPublic(operationId: OperationId): operationId is PublicOperationId {
  return operationId === "getHealth";
}

/** @throws `unsupported_media_type` for a body that the operation does not take. */
export function checkMediaType(request: FastifyRequest, accepted: readonly string[]): void {
  const header = request.headers["content-type"];
  if (header === undefined || accepted.length === 0) return;
  const media = header.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (!accepted.includes(media)) {
    throw new CastellanError("unsupported_media_type", `The body must be ${accepted.join(" or ")}`);
  }
}

/** @throws `method_not_allowed`, having set `Allow`, where the path has other methods; else `not_found`. */
export function refuseUnknownRoute(
  request: FastifyRequest,
  reply: FastifyReply,
  operations: readonly Operation[],
): never {
  const path = request.url.split("?", 1)[0] ?? "";
  const allowed = operations.filter((operation) => operation.matches(path)).map((operation) => operation.method);
  if (allowed.length === 0) throw new CastellanError("not_found", "There is no such path");
  reply.header("Allow", allowed.join(", "));
  throw new CastellanError("method_not_allowed", `This path takes ${allowed.join(", ")}`);
}
