import type { Logger } from "pino";

/**
 * Keeps the process alive when an HTTP/2 connection that is already given up says once more that it has ended, and ends
 * it with exit code 1 and a log line on any other error that nobody caught.
 *
 * connect-node (2.2.0) destroys an idle connection with an error when its server says goodbye; when the connection has
 * closed by then, nobody listens for that error any more, and it would end a process that is in perfect order. To be
 * called once by a process that has such clients, never by a library.
 */
export function surviveStrayGoodbyes(logger: Logger): void {
  process.on("uncaughtException", (error, origin) => {
    if (isStrayGoodbye(error)) {
      logger.debug({ err: error }, "a connection that was given up has ended");
      return;
    }
    logger.fatal({ err: error, origin }, "the process ends after an error that nobody caught");
    process.exit(1);
  });
}

/** Whether it is connect-node's error for a server's goodbye on an idle connection; also one that came as data. */
export function isStrayGoodbye(error: { readonly name?: string; readonly message?: string }): boolean {
  const { name, message = "" } = error;
  return name === "ConnectError" && message.includes("received GOAWAY without any open streams");
}
