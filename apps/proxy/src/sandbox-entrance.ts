import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "@castellan/telemetry";
import { type Address, daemonPort } from "./address.ts";
import {
  type Answer,
  badRequest,
  controlRouteRefused,
  noAnswer,
  outOfReach,
  portClosed,
  sandboxNotFound,
  send,
  tokenInvalid,
  tokenMissing,
  tooManyRequests,
} from "./answers.ts";
import { isControlRoute } from "./control-routes.ts";
import { answerPreflight, isPreflight, speaksCors } from "./cors.ts";
import { forward, NoAnswer, type Passage } from "./forward.ts";
import { forwardBodiless, isBodiless } from "./forward-bodiless.ts";
import { requestHeaders, trafficTokenHeader } from "./headers.ts";
import type { EdgeLimits } from "./limits.ts";
import { wake } from "./paused.ts";
import type { RouteTarget } from "./route.ts";
import type { Routes } from "./routes.ts";
import { splice } from "./splice.ts";
import { opens } from "./traffic-token.ts";
import { TunnelRefused, type Tunnels } from "./tunnels.ts";
import type { WaitingClient } from "./waiting-client.ts";

/** A request at the entrance of a sandbox. */
export interface Entry {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly address: Address;
  readonly expectsContinue: boolean;
  /** Who asks, when it is to switch protocols. */
  readonly upgrade?: WaitingClient;
}

export interface EntranceOptions {
  readonly domain: string;
  readonly limits: EdgeLimits;
  readonly routes: Routes;
  readonly tunnels: Tunnels;
  readonly logger: Logger;
}

/** Decides who may enter which sandbox, and takes them in. */
export class SandboxEntrance {
  readonly #options: EntranceOptions;

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /** Answers the request, in the end; never throws. */
  enter(entry: Entry): void {
    this.#enter(entry).catch((error: unknown) => {
      const { sandboxId, port } = entry.address;
      this.#options.logger.error({ sandboxId, port, err: error }, "a request could not be passed to its sandbox");
      this.#reply(entry, outOfReach(entry.address));
    });
  }

  async #enter(entry: Entry): Promise<void> {
    const refused = refusedBeforehand(entry);
    if (refused) return this.#reply(entry, refused);
    const { request, response, address } = entry;
    const preflight = isPreflight(request);
    // The daemon allows every origin, as the edge does.
    if (preflight && address.port === daemonPort) return answerPreflight(request, response);

    const { routes } = this.#options;
    let target = routes.known(address.sandboxId) ?? (await routes.ask(address.sandboxId));
    let askedAgain = false;
    let repeated = false;
    for (;;) {
      if (target?.state === "paused") target = await wake(target);
      if (response.destroyed) return;
      if (!target) return this.#reply(entry, sandboxNotFound(address));
      const locked = lockedFor(request, address, target);
      if (locked) return this.#reply(entry, locked);

      const failure = await this.#attempt(entry, target, preflight, repeated);
      if (failure === undefined || response.destroyed) return;
      if (failure instanceof NoAnswer && failure.repeatable && !repeated) {
        repeated = true;
        continue;
      }
      const next = askedAgain || isCertain(failure) ? target : await this.#askAgain(target);
      askedAgain = true;
      if (failure instanceof TunnelRefused && !isSame(next, target)) {
        target = next;
        continue;
      }
      return this.#reply(entry, this.#answerTo(failure, address, next));
    }
  }

  /** Passes the request on. Answers what kept it from being answered; `undefined` when nothing did. */
  async #attempt(
    entry: Entry,
    target: RouteTarget,
    preflight: boolean,
    repeated: boolean,
  ): Promise<TunnelRefused | NoAnswer | undefined> {
    const { request, response, address } = entry;
    const tunnels = this.#options.tunnels.admit(target);
    if (!tunnels) {
      this.#reply(entry, tooManyRequests(address, this.#options.limits.maxRequestsPerExecution));
      return undefined;
    }
    const { upgrade } = entry;
    let user: Duplex | ServerResponse = response;
    const passage: Passage = {
      ...entry,
      headers: this.#headers(entry),
      accept: (answer) => !preflight || speaksCors(answer.rawHeaders),
      ...(upgrade && {
        onSwitch: (answer, server, head) => {
          user = upgrade.socket;
          splice(upgrade.socket, upgrade.take(request), server, answer, head);
        },
      }),
    };
    try {
      await (isBodiless(passage) && !repeated ? forwardBodiless(passage, tunnels) : forward(passage, tunnels));
    } catch (error) {
      tunnels.release();
      if (error instanceof NoAnswer) tunnels.closeIdle(address.port);
      if (error instanceof NoAnswer || error instanceof TunnelRefused) return error;
      throw error;
    }
    if (user.closed) tunnels.release();
    else user.once("close", () => tunnels.release());
    if (preflight && !response.headersSent && !response.destroyed) answerPreflight(request, response);
    return undefined;
  }

  #headers({ request, address, expectsContinue, upgrade }: Entry): string[] {
    const headers = requestHeaders(request, address, this.#options.domain);
    if (expectsContinue) headers.push("Expect", "100-continue");
    if (upgrade) headers.push("Connection", "Upgrade", "Upgrade", request.headers.upgrade ?? "");
    return headers;
  }

  /** The node disagrees with what is known: asks the store, and lets go of an execution that is over. */
  async #askAgain({ sandboxId }: RouteTarget): Promise<RouteTarget | undefined> {
    const { routes, tunnels } = this.#options;
    routes.forget(sandboxId);
    const target = await routes.ask(sandboxId, true);
    tunnels.end(sandboxId, target?.state === "running" ? target.executionId : undefined);
    return target;
  }

  #answerTo(failure: TunnelRefused | NoAnswer, address: Address, target: RouteTarget | undefined): Answer {
    if (target?.state !== "running") return sandboxNotFound(address);
    const ids = { sandboxId: address.sandboxId, executionId: target.executionId, port: address.port };
    if (failure instanceof NoAnswer) {
      this.#options.logger.debug({ ...ids, err: failure }, "a port did not answer");
      return noAnswer(address);
    }
    switch (failure.reason) {
      case "port_closed":
        return portClosed(address);
      case "port_silent":
        return noAnswer(address);
      case "full":
        return tooManyRequests(address, this.#options.limits.maxRequestsPerExecution);
      case "execution_unknown":
      case "ended":
        this.#options.logger.warn(ids, "the node does not have the execution that the store knows");
        return sandboxNotFound(address);
      case "out_of_reach":
        this.#options.logger.warn({ ...ids, gateway: target.gatewayAddress, err: failure }, "a node is out of reach");
        return outOfReach(address);
    }
  }

  /** A preflight is allowed whatever becomes of the request: a page must be able to read the refusal. */
  #reply({ request, response, address }: Entry, answer: Answer): void {
    if (response.headersSent || response.destroyed) return;
    if (isPreflight(request) && answer !== controlRouteRefused) answerPreflight(request, response);
    else send(request, response, answer, address);
  }
}

/** What is refused whoever the sandbox is, so that the answer tells nothing about it. */
function refusedBeforehand({ request, address }: Entry): Answer | undefined {
  if (address.port === daemonPort && isControlRoute(request.url ?? "/")) return controlRouteRefused;
  const coding = request.headers["transfer-encoding"];
  if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") {
    return badRequest("Only the transfer coding chunked is supported");
  }
  return undefined;
}

/** The daemon checks tokens of its own. */
function lockedFor(request: IncomingMessage, address: Address, target: RouteTarget): Answer | undefined {
  if (address.port === daemonPort || target.publicTraffic) return undefined;
  const token = request.headers[trafficTokenHeader];
  if (token === undefined || token === "") return tokenMissing(address, trafficTokenHeader);
  return opens(String(token), target) ? undefined : tokenInvalid(address, trafficTokenHeader);
}

/** What a node says about a port, it says about an execution that it has. */
function isCertain(failure: TunnelRefused | NoAnswer): boolean {
  return failure instanceof TunnelRefused && ["port_closed", "port_silent", "full"].includes(failure.reason);
}

function isSame(one: RouteTarget | undefined, other: RouteTarget): boolean {
  return (
    one?.executionId === other.executionId && one.state === other.state && one.gatewayAddress === other.gatewayAddress
  );
}
