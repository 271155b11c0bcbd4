import { createServer, type ServerHttp2Session } from "node:http2";
import { type NodeRegisterRequest, RegistryService } from "@castellan/contracts/node";
import { boundAddress } from "@castellan/rpc";
import { connectNodeAdapter } from "@connectrpc/connect-node";

/** The registry of a control plane, alone, on a port of its own. */
export interface TestControlPlane {
  readonly url: string;
  readonly registrations: NodeRegisterRequest[];
  /** Authorization headers of the registrations. */
  readonly tokens: (string | null)[];
  epoch: bigint;
  leaseMs: number;
  close(): Promise<void>;
}

export async function startTestControlPlane(
  options: { readonly leaseMs?: number; readonly epoch?: bigint; readonly port?: number } = {},
): Promise<TestControlPlane> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(RegistryService, {
          register(request, context) {
            controlPlane.registrations.push(request);
            controlPlane.tokens.push(context.requestHeader.get("authorization"));
            return { epoch: controlPlane.epoch, leaseMs: controlPlane.leaseMs };
          },
        }),
    }),
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const controlPlane: TestControlPlane = {
    url: `http://127.0.0.1:${boundAddress(server.address()).port}`,
    registrations: [],
    tokens: [],
    epoch: options.epoch ?? 0n,
    leaseMs: options.leaseMs ?? 300,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
  return controlPlane;
}
