import { connect, type Socket } from "node:net";
import { isDomainName } from "@castellan/domain";
import type { RuntimeLogger } from "../../logger.ts";
import type { Reading } from "./client-hello.ts";

export interface FilteredConnectionOptions {
  /** Its address. */
  readonly sandbox: string;
  /** Of the server: 80 or 443. */
  readonly port: 80 | 443;
  readonly read: (bytes: Buffer) => Reading;
  readonly allows: (name: string) => boolean;
  /** The address that a name leads to; `undefined` when there is none that may be reached. */
  readonly find: (name: string) => Promise<string | undefined>;
  readonly limits: { readonly namingMs: number; readonly connectMs: number };
  readonly logger: RuntimeLogger;
}

/** A peer that is silent for this long is asked whether it is still there. */
const keepAliveMs = 60_000;

/** One connection of a sandbox: read until it names its server, then joined with that, or refused. */
export class FilteredConnection {
  readonly sandbox: string;
  /** Settles when nothing is left of it; never rejects. */
  readonly closed: Promise<void>;
  readonly #client: Socket;
  readonly #options: FilteredConnectionOptions;
  #timer: NodeJS.Timeout | undefined;
  #read: Buffer = Buffer.alloc(0);
  #name: string | undefined;
  #server: Socket | undefined;

  constructor(client: Socket, options: FilteredConnectionOptions) {
    this.sandbox = options.sandbox;
    this.#client = client;
    this.#options = options;
    this.#deadline(options.limits.namingMs);
    this.closed = new Promise((done) => {
      client.once("close", (failed) => {
        clearTimeout(this.#timer);
        this.#read = Buffer.alloc(0);
        if (failed) this.#server?.destroy();
        else this.#server?.destroySoon();
        done();
      });
    });
    client.setKeepAlive(true, keepAliveMs);
    client.on("error", () => client.destroy());
    client.once("end", this.#gaveUp);
    client.on("data", this.#onData);
  }

  /** Cuts it if its name is no longer allowed. */
  reconsider(): void {
    if (this.#name !== undefined && !this.#options.allows(this.#name)) this.cut();
  }

  cut(): void {
    this.#server?.resetAndDestroy();
    // A reset is refused where everything was handed over and the end is on its way.
    if (this.#client.writableEnded) this.#client.destroy();
    else this.#client.resetAndDestroy();
  }

  readonly #gaveUp = (): void => {
    this.#client.destroy();
  };

  readonly #onData = (bytes: Buffer): void => {
    this.#read = this.#read.length === 0 ? bytes : Buffer.concat([this.#read, bytes]);
    const reading = this.#options.read(this.#read);
    if (reading.kind === "more") return;
    this.#client.pause();
    this.#client.off("data", this.#onData);
    this.#client.off("end", this.#gaveUp);
    this.#read = Buffer.alloc(0);
    if (reading.kind === "refused") {
      this.#refuse(reading.reason);
      return;
    }
    this.#open(reading.name, reading.first).catch((error: unknown) => {
      this.#options.logger.error({ sandbox: this.sandbox, err: error }, "a connection by name failed");
      this.cut();
    });
  };

  async #open(name: string, first: Buffer): Promise<void> {
    const { port, limits, allows, find } = this.#options;
    if (!isDomainName(name) || !allows(name)) {
      this.#refuse("the name is not allowed");
      return;
    }
    this.#name = name;
    this.#deadline(limits.connectMs);
    const address = await find(name);
    if (this.#client.destroyed) return;
    if (address === undefined) {
      this.#refuse("the name leads nowhere that may be reached");
      return;
    }

    const server = connect({ host: address, port, family: 4, allowHalfOpen: true, noDelay: true });
    this.#server = server;
    server.setKeepAlive(true, keepAliveMs);
    server.on("error", () => this.cut());
    server.once("close", (failed) => {
      if (failed) this.cut();
      // What has come is still on its way to the sandbox.
      else this.#client.destroySoon();
    });
    server.once("connect", () => {
      clearTimeout(this.#timer);
      server.write(first);
      this.#client.pipe(server);
      server.pipe(this.#client);
    });
  }

  #deadline(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.cut(), ms);
  }

  /** In the protocol's own words, so that the client can tell a rule from a fault. */
  #refuse(reason: string): void {
    const { port, logger } = this.#options;
    logger.debug({ sandbox: this.sandbox, port, reason }, "a connection by name was refused");
    this.#client.end(port === 80 ? forbidden : accessDenied);
    this.#client.resume();
    this.#deadline(lingerMs);
  }
}

/** How long a refused client is given to read why. */
const lingerMs = 1_000;
const message = "The sandbox's network rules do not allow this host.\n";
const forbidden = `HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: ${message.length}\r\nConnection: close\r\n\r\n${message}`;
/** A fatal alert, access_denied. */
const accessDenied = Buffer.from([21, 3, 3, 0, 2, 2, 49]);
