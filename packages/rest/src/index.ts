export { serveDocs } from "./docs.ts";
export { type ErrorReply, errorReply } from "./errors.ts";
export type {
  Caller,
  Handlers,
  OperationBody,
  OperationId,
  OperationParameters,
  OperationReply,
  OperationRequest,
  PublicHandlers,
  PublicOperationId,
  SecuredHandler,
  SecuredHandlers,
  SecuredOperationId,
} from "./handlers.ts";
export { bodyLimit, createRestServer, type RestServerOptions } from "./server.ts";
