import type { Readable } from "node:stream";
import type { operations } from "@castellan/contracts/openapi";
import type { Team } from "@castellan/domain";
import type { FastifyBaseLogger } from "fastify";

export type OperationId = keyof operations;

/** Operations that need no API key; the document says the same, which is checked at start. */
export type PublicOperationId = "getHealth";

export type SecuredOperationId = Exclude<OperationId, PublicOperationId>;

/** Who sends the request. */
export interface Caller {
  readonly teamId: string;
  readonly apiKeyId: string;
  readonly team: Team;
}

/** What the contract says about an operation's parameters, after validation. */
export interface OperationParameters<Id extends OperationId> {
  readonly params: Parameter<Id, "path">;
  readonly query: Parameter<Id, "query">;
  /** By the names that the contract uses. */
  readonly headers: Parameter<Id, "header">;
}

/** A request as a handler sees it: validated, of the contract's types. */
export interface OperationRequest<Id extends OperationId> extends OperationParameters<Id> {
  readonly body: OperationBody<Id>;
  readonly log: FastifyBaseLogger;
  /** Whether the client asks for this media type by name. */
  readonly prefers: (media: string) => boolean;
  /** Aborts when the client goes away before it has been answered. */
  readonly signal: AbortSignal;
}

/** One of the answers that the contract declares: its status, its body and its headers. */
export type OperationReply<Id extends OperationId> = {
  readonly [Status in keyof Responses<Id> & number]: { readonly status: Status } & ReplyBody<Responses<Id>[Status]> &
    ReplyHeaders<Responses<Id>[Status]>;
}[keyof Responses<Id> & number];

export type SecuredHandler<Id extends SecuredOperationId> = (
  request: OperationRequest<Id>,
  caller: Caller,
) => Promise<OperationReply<Id>>;

export type PublicHandler<Id extends PublicOperationId> = (
  request: OperationRequest<Id>,
) => Promise<OperationReply<Id>>;

export type SecuredHandlers = { readonly [Id in SecuredOperationId]: SecuredHandler<Id> };
export type PublicHandlers = { readonly [Id in PublicOperationId]: PublicHandler<Id> };

/** A handler for every operation of the contract: none may be missing, and none may answer what it does not declare. */
export type Handlers = SecuredHandlers & PublicHandlers;

type Responses<Id extends OperationId> = operations[Id]["responses"];

type Nothing = Readonly<Record<never, never>>;

type Parameter<Id extends OperationId, Place extends "path" | "query" | "header"> = [
  NonNullable<operations[Id]["parameters"][Place]>,
] extends [never]
  ? Nothing
  : Readonly<NonNullable<operations[Id]["parameters"][Place]>>;

/** `undefined` where the contract has no body, or lets it out. */
export type OperationBody<Id extends OperationId> = [NonNullable<operations[Id]["requestBody"]>] extends [never]
  ? undefined
  :
      | Content<NonNullable<operations[Id]["requestBody"]>>
      | (undefined extends operations[Id]["requestBody"] ? undefined : never);

type Content<Message> = Message extends { readonly content: infer Media } ? Media[keyof Media] : never;

/** A body, or a stream of server-sent events where the contract has one. */
type ReplyBody<Response> = Response extends { readonly content: infer Media }
  ?
      | { readonly body: Media[Exclude<keyof Media, EventStream>]; readonly stream?: undefined }
      | (EventStream extends keyof Media ? { readonly stream: Readable; readonly body?: undefined } : never)
  : { readonly body?: undefined; readonly stream?: undefined };

type EventStream = "text/event-stream";

type ReplyHeaders<Response> = Response extends { readonly headers: infer Headers }
  ? [keyof Declared<Headers>] extends [never]
    ? { readonly headers?: undefined }
    : { readonly headers?: Declared<Headers> }
  : { readonly headers?: undefined };

/** Without the index signature that openapi-typescript adds for headers that nobody declared. */
type Declared<Headers> = { readonly [Name in keyof Headers as string extends Name ? never : Name]: Headers[Name] };
