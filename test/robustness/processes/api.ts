// One process of the control plane, with failpoints. Its only argument is its settings as JSON.
import { createControlPlane } from "@castellan/api";
import type { Failpoints } from "@castellan/domain";
import { openStore, type SandboxStore } from "@castellan/store";
import { createLogger, surviveStrayGoodbyes } from "@castellan/telemetry";
import { failpointsOnOrder } from "./failpoint-hook.ts";

export interface ApiSettings {
  readonly store: string;
  readonly clusterToken: string;
  readonly port: number;
  readonly registryPort: number;
  /** Lower-case hex SHA-256 of the team's key. */
  readonly keyHash: string;
}

const settings: ApiSettings = JSON.parse(process.argv[2] ?? "{}");
const logger = createLogger("api", "warn");
surviveStrayGoodbyes(logger);
const failpoints = failpointsOnOrder();
const store = await openPatiently();
await store.putTeam({ teamId: "team", name: "team", maxConcurrentSandboxes: 10_000 });
await store.putApiKey({ apiKeyId: "key", teamId: "team", name: "robustness" }, settings.keyHash);
const controlPlane = await createControlPlane({
  store: withFailpoints(store, failpoints),
  clusterToken: settings.clusterToken,
  domain: "localhost:3000",
  failpoints,
  logger,
});
await controlPlane.registry.listen({ host: "127.0.0.1", port: settings.registryPort });
await controlPlane.rest.listen({ host: "127.0.0.1", port: settings.port });
controlPlane.start();
process.send?.({ ready: true });

/** The store's process may be away just now; a service manager would start this one again and again. */
async function openPatiently(): Promise<SandboxStore> {
  for (;;) {
    try {
      return await openStore(settings.store, { logger, failpoints });
    } catch (error) {
      logger.warn({ err: error }, "the store is not there yet");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** The places around the store's own steps, which are the same for every store. */
function withFailpoints(inner: SandboxStore, { wait }: Failpoints): SandboxStore {
  const around: Pick<SandboxStore, "editMetadata" | "confirm"> = {
    async editMetadata(edit) {
      await wait("api.commit.before");
      const commit = await inner.editMetadata(edit);
      await wait("api.commit.after");
      return commit;
    },
    async confirm(reports) {
      await wait("api.confirm.before");
      await inner.confirm(reports);
      await wait("api.confirm.after");
    },
  };
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(Object.hasOwn(around, name) ? around : target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
