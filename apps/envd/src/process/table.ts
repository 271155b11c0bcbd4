import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ProcessInfoSchema, ProcessSelector } from "@castellan/contracts/process";
import { Code, ConnectError } from "@connectrpc/connect";
import type { EndEvent } from "./outcome.ts";
import type { RunningProcess } from "./running-process.ts";

export type ProcessInfo = MessageInitShape<typeof ProcessInfoSchema> & { readonly pid: number };

/** How long after its end a process can still be asked how it ended. */
const retentionMs = 30_000;

/** Most ended processes that are remembered. */
const maxRetained = 1_000;

/** The processes that clients have started: those that live, and for half a minute how the others ended. */
export class ProcessTable {
  readonly #live = new Map<number, { process: RunningProcess; info: ProcessInfo }>();
  readonly #ended = new Map<number, { tag: string | undefined; end: EndEvent }>();

  add(process: RunningProcess, info: ProcessInfo): void {
    // Numbers and tags are used again: what an earlier process of that name did is not this one's.
    this.#ended.delete(info.pid);
    for (const [pid, { tag }] of this.#ended) if (tag !== undefined && tag === info.tag) this.#ended.delete(pid);
    this.#live.delete(info.pid);
    this.#live.set(info.pid, { process, info });
    void process.ended.then((end) => this.#retire(process, info, end));
  }

  list(): ProcessInfo[] {
    return [...this.#live.values()].map(({ info }) => info);
  }

  /**
   * The live process that is meant; the newest where several have the tag.
   *
   * @throws ConnectError not_found, or invalid_argument when nothing is selected.
   */
  get(selector: ProcessSelector | undefined): RunningProcess {
    const found = select(selector, this.#live, ({ info }) => info.tag);
    if (!found) throw new ConnectError(`process with ${describe(selector)} not found`, Code.NotFound);
    return found[1].process;
  }

  /** How the process that is meant has ended, if it did so lately. */
  ended(selector: ProcessSelector | undefined): { pid: number; end: EndEvent } | undefined {
    const found = select(selector, this.#ended, ({ tag }) => tag);
    return found && { pid: found[0], end: found[1].end };
  }

  /** Kills all that lives. */
  killAll(): void {
    for (const { process } of this.#live.values()) process.kill();
  }

  #retire(process: RunningProcess, info: ProcessInfo, end: EndEvent): void {
    if (this.#live.get(info.pid)?.process !== process) return;
    this.#live.delete(info.pid);
    const record = { tag: info.tag, end };
    this.#ended.set(info.pid, record);
    setTimeout(() => {
      if (this.#ended.get(info.pid) === record) this.#ended.delete(info.pid);
    }, retentionMs).unref();
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > maxRetained && oldest !== undefined) this.#ended.delete(oldest);
  }
}

function select<T>(
  selector: ProcessSelector | undefined,
  from: ReadonlyMap<number, T>,
  tagOf: (value: T) => string | undefined,
): [pid: number, value: T] | undefined {
  const wanted = selector?.selector;
  if (wanted?.case === "pid") {
    const value = from.get(wanted.value);
    return value && [wanted.value, value];
  }
  if (wanted?.case === "tag") return [...from].findLast(([, value]) => tagOf(value) === wanted.value);
  throw new ConnectError("no process selected: give a pid or a tag", Code.InvalidArgument);
}

function describe(selector: ProcessSelector | undefined): string {
  return `${selector?.selector.case ?? "no selector"} ${selector?.selector.value ?? ""}`;
}
