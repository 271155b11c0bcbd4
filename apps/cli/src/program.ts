import { Command } from "commander";
import { addEventCommands, addMetadataCommands, addSandboxCommands } from "./api/commands.ts";
import { nodeSettings, upSettings } from "./settings.ts";
import { castellanVersion } from "./version.ts";

/**
 * The command line. Every command loads what it needs when it runs, so that `castellan sandbox ls` does not wait for the
 * control plane's code.
 * @param exit told the exit code of a command that ends without an error.
 */
export function createProgram(exit: (code: number) => void): Command {
  const program = new Command("castellan")
    .description("Sandboxes for code that nobody has reviewed, over the E2B wire protocol.")
    .version(castellanVersion(), "-v, --version")
    .exitOverride()
    .showHelpAfterError("(castellan --help lists the commands and options)");

  program
    .command("up")
    .description("run the API, the edge and the nodes on this machine, and print what a client needs")
    .option("--port <port>", "port of the API and of traffic to sandboxes (CASTELLAN_PORT, 3000)")
    .option("--host <address>", "address to listen on (CASTELLAN_HOST, 127.0.0.1)")
    .option("--data <dir>", "where keys, state and templates are (CASTELLAN_DATA, /var/lib/castellan)")
    .option("--nodes <count>", "nodes on this machine (CASTELLAN_NODES, 1)")
    .option("--keep", "leave the sandboxes running at Ctrl-C, for the next start to take over")
    .option("--domain <domain>", "<port>-<sandbox>.<domain> reaches a sandbox (CASTELLAN_DOMAIN, localhost:<port>)")
    .option("--registry-host <address>", "address on which nodes register (CASTELLAN_REGISTRY_HOST, 127.0.0.1)")
    .option("--registry-port <port>", "port on which nodes register (CASTELLAN_REGISTRY_PORT, the one after --port)")
    .option("--max-sandboxes <count>", "concurrent sandboxes of the default team (CASTELLAN_MAX_SANDBOXES, 100)")
    .option("--limits <file>", "limits of teams and templates (CASTELLAN_LIMITS, limits.json of the data directory)")
    .option(
      "--webhook-allow <blocks>",
      "private addresses that webhooks may lead to, as CIDR (CASTELLAN_WEBHOOK_ALLOW)",
    )
    .option("--memory-overcommit <times>", memoryOvercommitHelp)
    .option("--isolation <names>", isolationHelp)
    .addHelpText("after", upNotes)
    .action(async (flags) => {
      const settings = upSettings(flags, process.env);
      quietOnTerminals();
      const { up } = await import("./up/up.ts");
      exit(await up(settings));
    });

  const node = program
    .command("node")
    .description("run a further node of a control plane, on this machine or another")
    .option("--control-plane <url...>", "where to register, as `castellan up` says it (CASTELLAN_CONTROL_PLANE)")
    .option("--token-file <file>", "the control plane's cluster token (CASTELLAN_TOKEN_FILE)")
    .option("--data <dir>", "the node's own directory (CASTELLAN_NODE_DATA, /var/lib/castellan-node)")
    .option("--templates <dir>", "the templates' directory (CASTELLAN_TEMPLATES, /var/lib/castellan/templates)")
    .option("--name <name>", "unique in the cluster (CASTELLAN_NODE_NAME, made from the host's name)")
    .option("--host <address>", "address to listen on (CASTELLAN_NODE_HOST, 127.0.0.1)")
    .option("--advertise <host>", "what the control plane uses to reach it (CASTELLAN_NODE_ADVERTISE, --host)")
    .option("--port <port>", "port of its services (CASTELLAN_NODE_PORT, a free one)")
    .option("--gateway-port <port>", "port of its gateway into the sandboxes (CASTELLAN_GATEWAY_PORT, a free one)")
    .option("--prefix <prefix>", "1 to 4 characters in the names of its devices (CASTELLAN_DEVICE_PREFIX, chosen once)")
    .option("--subnet <block>", "IPv4 block of its sandboxes (CASTELLAN_SUBNET, chosen once)")
    .option("--max-sandboxes <count>", "sandboxes that it runs at once (CASTELLAN_NODE_SANDBOXES, 256)")
    .option("--memory-overcommit <times>", memoryOvercommitHelp)
    .option("--isolation <names>", isolationHelp)
    .addHelpText("after", nodeNotes)
    .action(async (flags) => {
      const settings = nodeSettings(flags, process.env);
      quietOnTerminals();
      const { node: run } = await import("./node/node.ts");
      exit(await run(settings));
    });

  node
    .command("forget <name>")
    .description("say that nothing runs on a node any more: for one that will not come back, and that edits wait for")
    .option("--control-plane <url...>", "where nodes register (CASTELLAN_CONTROL_PLANE)")
    .option("--token-file <file>", "the control plane's cluster token (CASTELLAN_TOKEN_FILE)")
    .action(async (name: string, _flags, command: Command) => {
      const settings = nodeSettings(command.optsWithGlobals(), process.env);
      const { forgetNode } = await import("./node/forget.ts");
      const known = await forgetNode(settings, name);
      process.stdout.write(
        known ? `Node ${name} is forgotten.\n` : `Node ${name} was not registered; nobody waits for it.\n`,
      );
    });

  program
    .command("doctor")
    .description("say what this machine can and cannot do, and how to mend it; exits with 0 if `up` can work")
    .option("--data <dir>", "the data directory to look at (CASTELLAN_DATA, /var/lib/castellan)")
    .option("--port <port>", "the port that `up` would use (CASTELLAN_PORT, 3000)")
    .option("--host <address>", "the address that `up` would listen on (CASTELLAN_HOST, 127.0.0.1)")
    .option("--isolation <names>", "what `up` would offer (CASTELLAN_ISOLATION, runc)")
    .option("--json", "print JSON")
    .action(async ({ json = false, ...flags }) => {
      const settings = upSettings(flags, process.env);
      const { doctor } = await import("./doctor/doctor.ts");
      exit(await doctor(settings, { json, sink: process.stdout }));
    });

  addSandboxCommands(program, exit);
  addMetadataCommands(program);
  addEventCommands(program);
  return program;
}

/** A person watching a terminal wants to see what matters; a log file wants it all. CASTELLAN_LOG decides otherwise. */
function quietOnTerminals(): void {
  if (process.stderr.isTTY) process.env["CASTELLAN_LOG"] ??= "warn";
}

const isolationHelp = "runc, gvisor or both, the default first: what sandboxes may ask for (CASTELLAN_ISOLATION, runc)";

const memoryOvercommitHelp =
  "times the machine's memory that sandboxes' limits may add up to (CASTELLAN_MEMORY_OVERCOMMIT, 16)";

const upNotes = `
Standard output gets three lines, ready to export: E2B_API_KEY, E2B_API_URL, E2B_SANDBOX_URL. The log goes to standard
error; CASTELLAN_LOG sets its level. The store is SQLite in the data directory, or Redis when REDIS_URL is set.

Ctrl-C (SIGINT, SIGHUP)  ends the sandboxes and stops; with --keep they run on. A second Ctrl-C stops at once.
SIGTERM, a crash, kill   stops the services and leaves the sandboxes running. The next start takes them over. Until then
                         nobody ends them at their time.`;

const nodeNotes = `
Ctrl-C ends the node's sandboxes and stops it; SIGTERM leaves them running for the next start. The connection to the
control plane is not encrypted: outside of one machine it belongs on a private network.`;
