import { createLogger, surviveStrayGoodbyes } from "@castellan/telemetry";
import type { UpSettings } from "../settings.ts";
import { listenForStops } from "../terminal/stop-requests.ts";
import { Closers } from "./closers.ts";
import { openDataDirectory } from "./data-directory.ts";
import { environmentLines } from "./environment.ts";
import { type Installation, startInstallation } from "./installation.ts";
import { takeInstanceLock } from "./instance-lock.ts";
import { requireRoot } from "./preflight.ts";

/**
 * `castellan up`: starts an installation, prints the client's environment to standard output, and nothing else there,
 * once sandboxes can be created; then runs until it is told to stop. Ctrl-C ends the sandboxes unless `keep`; SIGTERM,
 * which is what service managers and upgrades send, leaves them running for the next start. A second request forces.
 * @returns the exit code.
 * @throws Failure when it cannot start; then nothing is left running.
 */
export async function up(settings: UpSettings): Promise<number> {
  requireRoot();
  const data = await openDataDirectory(settings.dataDirectory);
  const lock = await takeInstanceLock(data, "Castellan");
  const logger = createLogger("castellan");
  surviveStrayGoodbyes(logger);
  const closers = new Closers(logger);
  closers.add("lock", () => lock.release());
  const stops = listenForStops();
  stops.onSecond(() => {
    say("Forced. Sandboxes may still run; the next start takes them over or clears them away.");
    // The nodes notice that this process is gone, and stop too.
    process.exit(130);
  });
  const startedAt = performance.now();
  if (process.stderr.isTTY) say(`Starting on ${data.path} …`);
  try {
    const installation = await startInstallation({ settings, data, closers, logger, stops });
    await lock.announce(installation.environment.apiUrl);
    process.stdout.write(environmentLines(installation.environment));
    hint(installation, settings, performance.now() - startedAt);
    const kind = await stops.first;
    const endsSandboxes = kind === "interrupt" && !settings.keep;
    if (process.stderr.isTTY) say(endsSandboxes ? "Ending the sandboxes." : "Stopping; sandboxes stay.");
    if (endsSandboxes) await installation.endSandboxes();
    return 0;
  } catch (error) {
    // Whoever stops a start knows why it did not get ready.
    const kind = stops.requested();
    if (kind !== undefined) return kind === "interrupt" ? 130 : 143;
    throw error;
  } finally {
    await closers.closeAll();
    stops.dispose();
  }
}

function hint(installation: Installation, settings: UpSettings, tookMs: number): void {
  if (!process.stderr.isTTY) return;
  const leaves = settings.keep ? "leaves the sandboxes running" : "ends the sandboxes";
  say(`\nReady after ${(tookMs / 1000).toFixed(1)} s. Export these three, and any E2B SDK works with this machine.`);
  say(
    `A further node: castellan node --control-plane ${installation.registryUrl} --token-file ${installation.tokenFile}`,
  );
  say(`Ctrl-C ${leaves} and stops.`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
