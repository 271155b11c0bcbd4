import { CastellanError, type ErrorCode } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

const connectCodes: Readonly<Record<ErrorCode, Code>> = {
  invalid_argument: Code.InvalidArgument,
  unauthenticated: Code.Unauthenticated,
  permission_denied: Code.PermissionDenied,
  not_found: Code.NotFound,
  method_not_allowed: Code.Unimplemented,
  conflict: Code.Aborted,
  precondition_failed: Code.FailedPrecondition,
  too_large: Code.OutOfRange,
  unsupported_media_type: Code.InvalidArgument,
  key_reused: Code.InvalidArgument,
  quota_exceeded: Code.ResourceExhausted,
  unimplemented: Code.Unimplemented,
  unavailable: Code.Unavailable,
  deadline_exceeded: Code.DeadlineExceeded,
  cancelled: Code.Canceled,
  internal: Code.Internal,
};

const errorCodes: Readonly<Record<Code, ErrorCode>> = {
  [Code.Canceled]: "cancelled",
  [Code.Unknown]: "internal",
  [Code.InvalidArgument]: "invalid_argument",
  [Code.DeadlineExceeded]: "deadline_exceeded",
  [Code.NotFound]: "not_found",
  [Code.AlreadyExists]: "conflict",
  [Code.PermissionDenied]: "permission_denied",
  [Code.ResourceExhausted]: "quota_exceeded",
  [Code.FailedPrecondition]: "precondition_failed",
  [Code.Aborted]: "conflict",
  [Code.OutOfRange]: "too_large",
  [Code.Unimplemented]: "unimplemented",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "internal",
  [Code.Unauthenticated]: "unauthenticated",
};

/** As it goes to the caller: code and message, never the cause. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const { message, code } = CastellanError.from(error);
  return new ConnectError(message, connectCodes[code]);
}

/** What a call to another service ended with. */
export function fromConnectError(error: unknown): CastellanError {
  if (error instanceof CastellanError) return error;
  const { rawMessage, code } = ConnectError.from(error);
  return new CastellanError(errorCodes[code], rawMessage, { cause: error });
}

/** Translates what handlers throw. What they throw on purpose has been logged where it happened. */
export function errorInterceptor(logger: Logger): Interceptor {
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      const { service, method } = request;
      // The caller's own deadline, or its going away, has the last word on how the call ended.
      const shown = request.signal.aborted ? ConnectError.from(request.signal.reason) : toConnectError(error);
      const fields = { err: error, rpc: `${service.name}.${method.name}`, code: Code[shown.code] };
      if (error instanceof CastellanError || error instanceof ConnectError) logger.debug(fields, "call refused");
      else logger.error(fields, "call failed");
      throw shown;
    }
  };
}
