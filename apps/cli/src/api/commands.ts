import { type CastellanClient, createClient } from "@castellan/client";
import type { Command } from "commander";
import { eventTypes, showEvents } from "../events/show.ts";
import { parseEdits, parseTags, parseVariables } from "../metadata/arguments.ts";
import { getMetadata, setMetadata } from "../metadata/commands.ts";
import { showHistory, watchMetadata } from "../metadata/history.ts";
import { createSandbox } from "../sandbox/create.ts";
import { killSandboxes } from "../sandbox/kill.ts";
import { listSandboxes } from "../sandbox/list.ts";
import { logLevel, showLogs } from "../sandbox/logs.ts";
import { showMetrics } from "../sandbox/metrics.ts";
import { eventId, execTimeoutMs, historyLimit, revision, timeoutSeconds } from "../settings.ts";
import { listenForStops } from "../terminal/stop-requests.ts";
import { findConnection } from "./connection.ts";

interface ApiFlags {
  readonly data?: string;
}

/** `castellan sandbox …`: what the API can do with sandboxes, from a shell. */
export function addSandboxCommands(program: Command, exit: (code: number) => void): void {
  const sandbox = program.command("sandbox").description("list, create, use and end sandboxes");
  // An option after the sandbox's id is the command's.
  sandbox.enablePositionalOptions();

  withConnection(sandbox.command("ls"))
    .description("list sandboxes, newest first")
    .option("--metadata <key=value>", "only those with this tag; may be repeated", collect)
    .option("--json", "print JSON")
    .action(async (flags) => {
      const filter = parseTags(flags.metadata ?? []);
      const { client } = await connect(flags);
      await listSandboxes(client, filter, { json: flags.json ?? false, sink: process.stdout });
    });

  withConnection(sandbox.command("create"))
    .description("create a sandbox and print its id")
    .argument("[template]", "id or alias of the template", "base")
    .option("--timeout <seconds>", "how long it lives (300)")
    .option("--metadata <key=value>", "a tag; may be repeated", collect)
    .option("--json", "print all that the API answers, its access token included")
    .action(async (template: string, flags) => {
      const request = {
        template,
        timeoutSeconds: timeoutSeconds(flags.timeout),
        metadata: parseTags(flags.metadata ?? []),
      };
      const { client } = await connect(flags);
      await createSandbox(client, request, { json: flags.json ?? false, sink: process.stdout });
    });

  withConnection(sandbox.command("exec"))
    .description("run a command in a sandbox with this terminal's input and output, and exit as it does")
    .argument("<id>", "the sandbox")
    .argument("<command...>", "the program and its arguments")
    .option("--user <name>", "as this user (user)")
    .option("--cwd <dir>", "in this directory")
    .option("--env <name=value>", "with this variable; may be repeated", collect)
    .option("--timeout <seconds>", "end it after this time (no limit)")
    .option("--no-stdin", "give it no input")
    .passThroughOptions()
    .addHelpText("after", execNotes)
    .action(async (id: string, command: string[], flags) => {
      const request = {
        command,
        user: flags.user,
        cwd: flags.cwd,
        envs: parseVariables(flags.env ?? []),
        timeoutMs: execTimeoutMs(flags.timeout),
      };
      const { client, sandboxUrl } = await connect(flags);
      const { exec } = await import("../sandbox/exec-command.ts");
      exit(await exec(client, id, sandboxUrl, request, flags.stdin));
    });

  withConnection(sandbox.command("logs"))
    .description("print what its node and its daemon say about a sandbox")
    .argument("<id>", "the sandbox")
    .option("-f, --follow", "go on until it has ended")
    .option("--level <level>", "this level and above: debug, info, warn or error (info)")
    .option("--json", "print a JSON object per line")
    .action(async (id: string, flags) => {
      const level = logLevel(flags.level);
      const { client } = await connect(flags);
      const { follow = false, json = false } = flags;
      await showLogs(client, id, { level, follow, json, sink: process.stdout });
    });

  withConnection(sandbox.command("metrics"))
    .description("print what a sandbox used over time")
    .argument("<id>", "the sandbox")
    .option("-f, --follow", "go on until it has ended")
    .option("--json", "print a JSON object per line")
    .action(async (id: string, flags) => {
      const { client } = await connect(flags);
      await showMetrics(client, id, { follow: flags.follow ?? false, json: flags.json ?? false, sink: process.stdout });
    });

  withConnection(sandbox.command("kill"))
    .description("end sandboxes")
    .argument("<ids...>", "the sandboxes")
    .action(async (ids: string[], flags) => {
      const { client } = await connect(flags);
      exit(await killSandboxes(client, ids, process));
    });
}

/** `castellan metadata …`: a sandbox's tags, while it runs. */
export function addMetadataCommands(program: Command): void {
  const metadata = program.command("metadata").description("read and edit a sandbox's metadata, while it runs");

  withConnection(metadata.command("get"))
    .description("print a sandbox's metadata")
    .argument("<id>", "the sandbox")
    .option("--json", "print JSON, with the revision")
    .action(async (id: string, flags) => {
      const { client } = await connect(flags);
      await getMetadata(client, id, { json: flags.json ?? false, stdout: process.stdout, stderr: process.stderr });
    });

  withConnection(metadata.command("set"))
    .description("edit single keys; those not named stay as they are")
    .argument("<id>", "the sandbox")
    .argument("<edits...>", "key=value sets a key, key- removes it")
    .option("--if-match <revision>", "only if the metadata still has this revision")
    .option("--idempotency-key <key>", "a name for this edit: sent again under it, it has no second effect")
    .option("--json", "print JSON, with the revision")
    .addHelpText("after", setNotes)
    .action(async (id: string, args: string[], flags) => {
      const edits = parseEdits(args);
      const ifRevision = revision(flags.ifMatch);
      const { client } = await connect(flags);
      const output = { json: flags.json ?? false, stdout: process.stdout, stderr: process.stderr };
      const options = {
        ...(ifRevision === undefined ? {} : { ifRevision }),
        ...(flags.idempotencyKey === undefined ? {} : { idempotencyKey: flags.idempotencyKey }),
      };
      await setMetadata(client, id, edits, options, output);
    });

  withConnection(metadata.command("history"))
    .description("print how a sandbox's metadata became what it is, newest first")
    .argument("<id>", "the sandbox")
    .option("--limit <count>", "at most so many changes, 1 to 1000 (100)")
    .option("--json", "print a JSON object per line")
    .action(async (id: string, flags) => {
      const limit = historyLimit(flags.limit);
      const { client } = await connect(flags);
      await showHistory(client, id, limit, { json: flags.json ?? false, sink: process.stdout });
    });

  withConnection(metadata.command("watch"))
    .description("print every change of a sandbox's metadata from now on, until it has ended")
    .argument("<id>", "the sandbox")
    .option("--json", "print a JSON object per line")
    .action(async (id: string, flags) => {
      const { client } = await connect(flags);
      // Ctrl-C is how one ends watching, and no failure.
      const stops = listenForStops();
      try {
        await watchMetadata(client, id, { json: flags.json ?? false, sink: process.stdout, signal: stops.signal });
      } finally {
        stops.dispose();
      }
    });
}

/** `castellan events`: what happened to the team's sandboxes. */
export function addEventCommands(program: Command): void {
  withConnection(program.command("events"))
    .description("print what happened to the team's sandboxes, oldest first")
    .argument("[id]", "only this sandbox")
    .option("-f, --follow", "go on with what happens, until it is interrupted")
    .option("--type <type>", "only events of this type, such as killed; may be repeated", collect)
    .option("--after <id>", "only events after the one with this id; 0 for all that are kept")
    .option("--json", "print a JSON object per line")
    .action(async (sandboxId: string | undefined, flags) => {
      const { client } = await connect(flags);
      const { follow = false, json = false, after } = flags;
      await showEvents(client, {
        sandboxId,
        types: eventTypes(flags.type ?? []),
        after: eventId(after),
        follow,
        json,
        sink: process.stdout,
      });
    });
}

function withConnection(command: Command): Command {
  return command.option("--data <dir>", "where `castellan up` of this machine keeps its key (CASTELLAN_DATA)");
}

async function connect(flags: ApiFlags): Promise<{ readonly client: CastellanClient; readonly sandboxUrl: string }> {
  const { apiUrl, apiKey, sandboxUrl } = await findConnection(process.env, flags.data);
  return { client: createClient({ apiUrl, apiKey }), sandboxUrl };
}

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

const execNotes = `
  castellan sandbox exec <id> -- ls -la /home/user
  tar c . | castellan sandbox exec <id> --cwd /tmp -- tar x

The first Ctrl-C sends SIGTERM to the command, a second one SIGKILL. The exit code is the command's; 128 + n when signal n
ended it, 124 at the time limit, 255 when it could not be run.`;

const setNotes = `
  castellan metadata set <id> stage=done owner-

key= removes too. The first = ends the key; \\= stands for a = in a key, and \\\\ for a backslash.`;
