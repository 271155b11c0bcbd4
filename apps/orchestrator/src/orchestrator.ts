import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { type AddressInfo, isIPv6 } from "node:net";
import { isAbsolute, join } from "node:path";
import { NodeService } from "@castellan/contracts/node";
import { SandboxService } from "@castellan/contracts/sandbox";
import { CastellanError } from "@castellan/domain";
import { createRpcServer } from "@castellan/rpc";
import { type Gateway, startGateway } from "./gateway/gateway.ts";
import { LogBook } from "./logs/log-book.ts";
import { LogFiles } from "./logs/log-files.ts";
import { Sampler } from "./metrics/sampler.ts";
import { defaultMaxSandboxes, describeNode, type NodeIdentity, sandboxMemoryOf } from "./node-description.ts";
import { defaultTiming, type ListenAddress, type OrchestratorOptions, type Timing } from "./options.ts";
import { Registration } from "./registration/registration.ts";
import { nodeService } from "./rpc/node-service.ts";
import { sandboxService } from "./rpc/sandbox-service.ts";
import { NodeSandboxes } from "./sandboxes/node-sandboxes.ts";
import type { ExecutionWatcher } from "./sandboxes/watcher.ts";
import { lockDirectory } from "./state/directory-lock.ts";
import { Journal } from "./state/journal.ts";
import { ManifestFiles } from "./state/manifest-files.ts";

/** One node. */
export interface Orchestrator {
  readonly nodeId: string;
  /** New for every orchestrator that is made. */
  readonly bootId: string;
  /**
   * Takes the state directory, adopts the sandboxes that still run, and serves; resolves when both ports are open. The
   * node then registers in the background, for as long as it takes. To be called once.
   * @throws `conflict` when another process has the state directory; a failure leaves nothing open.
   */
  listen(): Promise<NodeAddresses>;
  /**
   * Stops serving, then ends the sandboxes or leaves them running for the next process. Idempotent; starts under way
   * are given up.
   */
  close(options: { readonly stopSandboxes: boolean }): Promise<void>;
}

/** As told to the control plane. */
export interface NodeAddresses {
  /** Base URL of the Connect services. */
  readonly address: string;
  /** host:port of the gateway. */
  readonly gatewayAddress: string;
}

/** @throws `invalid_argument` when an option makes no sense. */
export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  checkOptions(options);
  const bootId = randomUUID();
  const logger = options.logger.child({ nodeId: options.nodeId });
  const timing: Timing = { ...defaultTiming, ...options.timing };
  /** What is open, in the order in which it was opened; closed the other way round. */
  const open: Closer[] = [];
  let closing: Promise<void> | undefined;
  let listening: Promise<NodeAddresses> | undefined;

  async function start(): Promise<NodeAddresses> {
    const { stateDir, runtime, templates, clusterToken, capacity = {} } = options;
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const lock = lockDirectory(join(stateDir, "lock"));
    open.push(async () => lock.release());

    const journal = Journal.open(join(stateDir, "state.log"), logger, options.failpoints);
    open.push(async () => journal.close());
    open.push(({ stopSandboxes }) => runtime.close({ stopAll: stopSandboxes }));

    const sampler = new Sampler({ runtime, everyMs: timing.sampleMs, firstMs: timing.firstSampleMs });
    open.push(async () => sampler.close());
    const files = new LogFiles(join(stateDir, "logs"), { logger });
    const logs = new LogBook({ files, runtime, collectMs: timing.collectLogsMs, logger });
    open.push(() => logs.close());

    let gateway: Gateway | undefined;
    let rpcAddress: AddressInfo | undefined;
    const sandboxes: NodeSandboxes = new NodeSandboxes(
      {
        journal,
        manifests: new ManifestFiles(join(stateDir, "manifests"), logger),
        runtime,
        templates,
        logger,
        timing,
        maxSandboxes: capacity.sandboxes ?? defaultMaxSandboxes,
        maxMemoryBytes: sandboxMemoryOf(capacity),
        controlPlaneAway: () => registration.isControlPlaneAway(),
        watcher: observing(sampler, logs),
      },
      ({ executionId }) => gateway?.cut(executionId),
    );
    const identity = (): NodeIdentity => ({ nodeId: options.nodeId, bootId, ...addresses(), ...shown(options) });
    const addresses = (): NodeAddresses => ({
      address: `http://${advertised(options.rpc, rpcAddress)}`,
      gatewayAddress: advertised(options.gateway, gateway?.address),
    });
    const describe = () =>
      describeNode({ identity: identity(), capacity, stateDir, templates, counts: () => sandboxes.counts() });
    const registration: Registration = new Registration({
      controlPlaneUrls: options.controlPlaneUrls,
      clusterToken,
      journal,
      describe,
      timing,
      logger,
    });

    await sandboxes.adopt();
    open.push((how) => sandboxes.close(how));

    gateway = await startGateway({
      host: options.gateway?.host ?? defaultHost,
      port: options.gateway?.port ?? 0,
      clusterToken,
      find: (sandboxId, executionId) => sandboxes.reachable(sandboxId, executionId)?.executionId,
      connect: (executionId, port, signal) => runtime.connect(executionId, port, signal),
      connectMs: timing.gatewayConnectMs,
      logger,
    });
    const { close: closeGateway } = gateway;
    open.push(() => closeGateway());

    const server = await createRpcServer({
      clusterToken,
      routes: (router) => {
        router.service(
          SandboxService,
          sandboxService({ bootId, journal, sandboxes, sampler, logs, logger, failpoints: options.failpoints }),
        );
        router.service(NodeService, nodeService({ journal, describe }));
      },
      maxMessageBytes,
      pingMs: timing.pingMs,
      logger,
    });
    open.push(() => server.close());
    ({ address: rpcAddress } = await server.listen({
      host: options.rpc?.host ?? defaultHost,
      port: options.rpc?.port ?? 0,
    }));

    registration.start();
    open.push(() => registration.stop());
    logger.info({ bootId, epoch: journal.state.epoch, ...addresses(), ...sandboxes.counts() }, "node is up");
    return addresses();
  }

  async function shutDown(how: HowToClose): Promise<void> {
    // Whatever listen() has opened by then is closed, its failure notwithstanding.
    await listening?.catch(() => undefined);
    await closeAll(open, how, logger);
    logger.info(how, "node is down");
  }

  return {
    nodeId: options.nodeId,
    bootId,
    listen() {
      listening ??= start().catch(async (error: unknown) => {
        await closeAll(open, { stopSandboxes: false }, logger);
        throw error;
      });
      return listening;
    },
    close(how) {
      closing ??= shutDown(how);
      return closing;
    },
  };
}

/** Measurements end with an execution; what was written down of it stays. */
function observing(sampler: Sampler, logs: LogBook): ExecutionWatcher {
  return {
    began(execution, how) {
      sampler.begin(execution);
      logs.began(execution, how);
    },
    exited: (execution, oomKilled) => logs.exited(execution, oomKilled),
    ending(execution) {
      sampler.end(execution.executionId);
      return logs.ending(execution);
    },
    ended: (execution, cause) => logs.ended(execution, cause),
  };
}

interface HowToClose {
  readonly stopSandboxes: boolean;
}
type Closer = (how: HowToClose) => Promise<void>;

const defaultHost = "127.0.0.1";
/** One message; far above what a turn of the event loop gathers, 1,000 edits of the largest metadata. */
const maxMessageBytes = 128 * 1024 * 1024;

/** Goes on after a failure: what is left open would keep the process or the state directory. */
async function closeAll(open: Closer[], how: HowToClose, logger: OrchestratorOptions["logger"]): Promise<void> {
  for (let close = open.pop(); close !== undefined; close = open.pop()) {
    try {
      await close(how);
    } catch (error) {
      logger.error({ err: error }, "cannot close a part of the node");
    }
  }
}

function shown({ version = "0.1.0", isolations = ["runc"] }: OrchestratorOptions) {
  return { version, isolation: isolations[0] ?? "", isolations: [...isolations] };
}

/** host:port by which others reach a server. */
function advertised(listen: ListenAddress | undefined, bound: AddressInfo | undefined): string {
  const port = bound?.port ?? 0;
  const { advertise } = listen ?? {};
  if (advertise !== undefined) return /:\d+$/.test(advertise) ? advertise : `${advertise}:${port}`;
  const host = bound?.address ?? defaultHost;
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function checkOptions(options: OrchestratorOptions): void {
  const { nodeId, stateDir, clusterToken, controlPlaneUrls } = options;
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(nodeId)) {
    throw new CastellanError("invalid_argument", "A node id has 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'");
  }
  if (!isAbsolute(stateDir))
    throw new CastellanError("invalid_argument", "The state directory's path must be absolute");
  if (clusterToken.length < 16) {
    throw new CastellanError("invalid_argument", "The cluster token needs at least 16 characters");
  }
  for (const listen of [options.rpc, options.gateway]) {
    if ((listen?.host === "0.0.0.0" || listen?.host === "::") && listen.advertise === undefined) {
      throw new CastellanError("invalid_argument", `Listening on ${listen.host} needs an address to advertise`);
    }
  }
  for (const url of controlPlaneUrls) {
    const { protocol } = URL.parse(url) ?? {};
    if (protocol !== "http:" && protocol !== "https:") {
      throw new CastellanError("invalid_argument", `A control-plane URL must be http:// or https://, not ${url}`);
    }
  }
}
