import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the clone. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** What set-up keeps for itself; ignored by git, safe to remove. */
export const stateDirectory = join(root, ".castellan");

/** Where set-up puts gVisor's runsc. */
export const gvisorDirectory = join(stateDirectory, "gvisor");

/** The Node that everything but these scripts runs on. */
export const pinnedNode = join(root, `node_modules/node-linux-${process.arch}/bin/node`);

/** The Deno that comes with the npm packages. */
export const pinnedDeno = join(root, "node_modules/.bin/deno");

/** Options by which the pinned Node runs the sources as they are. */
export const sourceOptions = ["--conditions=source", "--disable-warning=ExperimentalWarning"];

/** Where an installation keeps its data and its templates: `--data`, else `CASTELLAN_DATA`, else the default. */
export function dataDirectory(args = []) {
  return optionValue(args, "--data") || process.env["CASTELLAN_DATA"] || "/var/lib/castellan";
}

/** The value of an option in either spelling; undefined when it is not there. */
export function optionValue(args, option) {
  const at = args.indexOf(option);
  return at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith(`${option}=`))?.slice(option.length + 1);
}

const systemDirectories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const linked = join(root, "node_modules/.bin");

/** PATH for programs of the system, npm among them: root's directories, which `su` leaves out, and not the pinned Node. */
export function systemPath() {
  const own = (process.env.PATH ?? "").split(":").filter((dir) => dir !== "" && !dir.endsWith("node_modules/.bin"));
  return [...new Set([...own, ...systemDirectories])].join(":");
}

/** PATH for programs of this project: the npm packages' first, then what set-up linked, then the system's. */
export function projectPath() {
  return [linked, join(stateDirectory, "bin"), systemPath()].join(":");
}
