import { z } from "zod";
import list from "./prerequisites.json" with { type: "json" };

/** What a command of this project is needed for: `npm start`, `npm test`, `npm run bench` or `npm run hosts`. */
export type Purpose = "start" | "test" | "bench" | "hosts";

/** A program that the host must have. */
export interface Prerequisite {
  /** The program's name on the PATH, root's directories (`/usr/sbin`) included. */
  readonly command: string;
  /**
   * The file that does as well when called by the command's name. Debian's `redis-server` is a link to `redis-check-rdb`,
   * which comes without the service that the server's own package starts.
   */
  readonly binary?: string | undefined;
  /** The Debian package that brings it. */
  readonly package: string;
  /** Services and timers that the package switches on and that set-up switches off again: nobody asked for them. */
  readonly units?: readonly string[] | undefined;
  /** Completes "`command` …". */
  readonly why: string;
  readonly for: readonly Purpose[];
}

const schema = z.array(
  z.object({
    command: z.string(),
    binary: z.string().optional(),
    package: z.string(),
    units: z.array(z.string()).optional(),
    why: z.string(),
    for: z.array(z.enum(["start", "test", "bench", "hosts"])),
  }),
);

/** Everything that set-up installs. A JSON file, because the set-up scripts run before TypeScript can be read. */
export const prerequisites: readonly Prerequisite[] = schema.parse(list);
