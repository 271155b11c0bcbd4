import type { SandboxIdentity } from "@castellan/domain";

/** What never changes about a sandbox, and the making of the record that it belongs to. */
export interface KnownIdentity {
  readonly made: string;
  readonly identity: SandboxIdentity;
}

const maxEntries = 10_000;
/** Larger ones, with many environment variables, are asked for each time. */
const maxLength = 4096;

/**
 * The identities that this process has seen last, so that an edit's answer does not carry them again. The store compares
 * the making, so an entry is never wrong, only useless.
 */
export class IdentityCache {
  readonly #entries = new Map<string, KnownIdentity>();

  get(sandboxId: string): KnownIdentity | undefined {
    return this.#entries.get(sandboxId);
  }

  /** `length` is that of its JSON. */
  keep(made: string, identity: SandboxIdentity, length: number): void {
    if (made === "" || length > maxLength) return;
    const { sandboxId } = identity;
    if (this.#entries.size >= maxEntries && !this.#entries.has(sandboxId)) this.#dropOldest();
    this.#entries.set(sandboxId, { made, identity });
  }

  #dropOldest(): void {
    for (const sandboxId of this.#entries.keys()) {
      this.#entries.delete(sandboxId);
      return;
    }
  }
}
