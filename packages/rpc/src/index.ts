export { BearerCheck } from "./bearer-check.ts";
export { fromConnectError, toConnectError } from "./connect-errors.ts";
export { boundAddress, createRpcServer, type RpcServer, type RpcServerOptions } from "./server.ts";
