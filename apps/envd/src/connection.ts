import type { Socket } from "node:net";
import { type ContextValues, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";

const connectionKey = createContextKey<Socket | undefined>(undefined, { description: "connection of the request" });

/** Context values that let an RPC's implementation get at its connection. */
export function withConnection(socket: Socket): ContextValues {
  return createContextValues().set(connectionKey, socket);
}

/** The connection that an RPC came over, to cut it where a client takes nothing any more. */
export function connectionOf(context: HandlerContext): Socket | undefined {
  return context.values.get(connectionKey);
}
