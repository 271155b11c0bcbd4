import type { SandboxUpdateRequest } from "@castellan/contracts/sandbox";
import type { AppliedRevisions, Epoch, Revision } from "@castellan/domain";
import { type LiveFieldName, liveFields } from "../nodes/messages.ts";

/** One field of one execution at one revision, on its way to the node. */
export interface Update {
  readonly teamId: string;
  readonly sandboxId: string;
  readonly executionId: string;
  readonly field: LiveFieldName;
  readonly revision: Revision;
  readonly epoch: Epoch;
  /** Made when the message is, so that what is left of a life is counted then. */
  readonly message: () => SandboxUpdateRequest;
}

/** The newest update of a field that is on its way, and who waits for it or for one that it has overtaken. */
export interface Entry {
  readonly update: Update;
  readonly state: "due" | "sent" | "done";
  /** On the monotonic clock, in milliseconds. */
  readonly sentAt: number;
}

/** What a node has said about one execution. */
export interface NodeWord {
  readonly executionId: string;
  readonly epoch: Epoch;
  readonly applied: AppliedRevisions;
  /** Whether it took the update; otherwise whether its rules of the network were what failed. */
  readonly outcome: "held" | "refused" | "failed";
}

interface OpenEntry extends Entry {
  update: Update;
  state: "due" | "sent" | "done";
  sentAt: number;
  readonly waiters: Set<Waiter>;
}

interface Waiter {
  readonly revision: Revision;
  readonly settle: (held: boolean) => void;
}

/**
 * The updates of one node that are due or unanswered, one per execution and field: a newer one takes the place of an
 * older one, and whoever waited for that is told by the newer one's confirmation.
 */
export class UpdateLedger {
  readonly #entries = new Map<string, Partial<Record<LiveFieldName, OpenEntry>>>();
  #due: OpenEntry[] = [];

  /** Whether there may be something to send. */
  get hasDue(): boolean {
    return this.#due.length > 0;
  }

  /** Enters an update; `held` tells whether the node held its revision, or a higher one, within `waitMs`. */
  enter(update: Update, waitMs: number): { readonly entry: Entry; readonly held: Promise<boolean> } {
    const entry = this.#place(update);
    const held = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        entry.waiters.delete(waiter);
        if (entry.waiters.size === 0 && entry.state === "due") this.#forget(entry);
        resolve(false);
      }, waitMs);
      const waiter: Waiter = {
        revision: update.revision,
        settle: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
      };
      entry.waiters.add(waiter);
    });
    return { entry, held };
  }

  /** Takes what is due, oldest first, as sent now. */
  takeDue(limit: number): Entry[] {
    const taken = this.#due.splice(0, limit).filter((entry) => entry.state === "due");
    const now = performance.now();
    for (const entry of taken) {
      entry.state = "sent";
      entry.sentAt = now;
    }
    return taken;
  }

  /** Takes this one, if it is still due. */
  take(entry: Entry): boolean {
    const open = this.#find(entry);
    if (open?.state !== "due") return false;
    open.state = "sent";
    open.sentAt = performance.now();
    return true;
  }

  /** What was sent and is not answered. */
  sent(): Entry[] {
    return this.#open().filter((entry) => entry.state === "sent");
  }

  /** Makes what was sent and not answered due again, as long as somebody waits; the rest is left to the store's list. */
  requeue(sent: readonly Entry[]): void {
    for (const open of sent.map((entry) => this.#find(entry))) {
      if (open?.state !== "sent") continue;
      if (open.waiters.size === 0) {
        this.#forget(open);
      } else {
        open.state = "due";
        this.#due.push(open);
      }
    }
  }

  /** Tells whoever waits for these that the node has not confirmed them. */
  giveUp(entries: readonly Entry[]): void {
    for (const open of entries.map((entry) => this.#find(entry))) {
      if (open !== undefined) this.#fail(open);
    }
  }

  /** Takes a node's word; answers the team of the execution, unless nobody has asked about it. */
  settle({ executionId, epoch, applied, outcome }: NodeWord): string | undefined {
    const fields = this.#entries.get(executionId);
    if (fields === undefined) return undefined;
    let teamId: string | undefined;
    // Rules of the network are what can fail: they fail alone, as every update carries one field.
    const egressFailed = outcome === "failed" && fields.egress?.state === "sent";
    for (const field of liveFields) {
      const entry = fields[field];
      if (entry === undefined) continue;
      teamId = entry.update.teamId;
      if (outcome === "held" && epoch === entry.update.epoch) {
        this.#confirm(entry, applied[field]);
      } else if (entry.state === "sent" && (!egressFailed || field === "egress")) {
        // Refused, or confirmed in another incarnation of the store, which proves nothing about this one.
        this.#fail(entry);
      }
    }
    return teamId;
  }

  /** Gives up everything. */
  clear(): void {
    for (const entry of this.#open()) this.#fail(entry);
    this.#due = [];
  }

  /** The entry that carries this update or one that overtakes it. */
  #place(update: Update): OpenEntry {
    const fields = this.#entries.get(update.executionId) ?? {};
    this.#entries.set(update.executionId, fields);
    const present = fields[update.field];
    if (present === undefined) {
      const entry: OpenEntry = { update, state: "due", sentAt: 0, waiters: new Set() };
      fields[update.field] = entry;
      this.#due.push(entry);
      return entry;
    }
    // Everyone who waited for what was sent has given up: whoever asks anew gets it sent anew.
    const givenUp = present.state === "sent" && present.waiters.size === 0;
    if (update.revision > present.update.revision) present.update = update;
    else if (!givenUp) return present;
    if (present.state === "sent") {
      present.state = "due";
      this.#due.push(present);
    }
    return present;
  }

  /** The entry itself, unless it is done. */
  #find(entry: Entry): OpenEntry | undefined {
    const open = this.#entries.get(entry.update.executionId)?.[entry.update.field];
    return open === entry ? open : undefined;
  }

  #confirm(entry: OpenEntry, revision: Revision): void {
    for (const waiter of entry.waiters) {
      if (waiter.revision > revision) continue;
      entry.waiters.delete(waiter);
      waiter.settle(true);
    }
    if (entry.update.revision <= revision) this.#forget(entry);
  }

  #fail(entry: OpenEntry): void {
    for (const waiter of entry.waiters) waiter.settle(false);
    entry.waiters.clear();
    this.#forget(entry);
  }

  #forget(entry: OpenEntry): void {
    entry.state = "done";
    const { executionId, field } = entry.update;
    const fields = this.#entries.get(executionId);
    if (fields?.[field] !== entry) return;
    delete fields[field];
    if (liveFields.every((name) => fields[name] === undefined)) this.#entries.delete(executionId);
  }

  #open(): OpenEntry[] {
    return [...this.#entries.values()].flatMap((fields) =>
      liveFields.flatMap((field) => (fields[field] === undefined ? [] : [fields[field]])),
    );
  }
}
