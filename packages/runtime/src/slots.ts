import { CastellanError } from "@castellan/domain";
import { formatIpv4, parseIpv4Block } from "./network/addresses.ts";

/** One place for a sandbox on a node: its ids, its interface and its addresses follow from the number. */
export interface Slot {
  /** From 1. */
  readonly number: number;
  /** Host id of the sandbox's root; 65536 ids belong to the slot. */
  readonly firstId: number;
  /** Interface on the host's side. */
  readonly device: string;
  /** Host's side and sandbox's side of a /31. */
  readonly gateway: string;
  readonly address: string;
}

export const idsPerSlot = 65536;

/** Hands out the slots of a node, each to one holder at a time. */
export class Slots {
  readonly capacity: number;
  readonly #prefix: string;
  readonly #uidBase: number;
  readonly #network: number;
  readonly #taken = new Set<number>();
  #last = 0;

  /** @throws `invalid_argument` when the subnet or the id range has no room for one sandbox. */
  constructor(options: { readonly devicePrefix: string; readonly subnet: string; readonly uidBase: number }) {
    const block = parseIpv4Block(options.subnet);
    if (block === undefined || block.prefix < 8 || block.prefix > 30) {
      throw new CastellanError("invalid_argument", "subnet must be an IPv4 block from /8 to /30");
    }
    if (!Number.isInteger(options.uidBase) || options.uidBase < idsPerSlot || options.uidBase > 0xffff_ffff) {
      throw new CastellanError("invalid_argument", `uidBase must be an integer from ${idsPerSlot}`);
    }
    this.#prefix = options.devicePrefix;
    this.#uidBase = options.uidBase;
    this.#network = block.first;
    // The pair with the network's own number stays free. The last id, 2^32 - 1, means "none".
    const pairs = 2 ** (31 - block.prefix) - 1;
    const ranges = Math.floor((0xffff_ffff - options.uidBase) / idsPerSlot);
    this.capacity = Math.min(pairs, ranges);
    if (this.capacity < 1) throw new CastellanError("invalid_argument", "uidBase leaves no room for a range of ids");
  }

  /**
   * A free slot. They go round, so that late packets for one sandbox seldom meet the next.
   * @throws `unavailable` when all are taken.
   */
  take(): Slot {
    for (let step = 1; step <= this.capacity; step += 1) {
      const number = ((this.#last + step - 1) % this.capacity) + 1;
      if (this.#taken.has(number)) continue;
      this.#taken.add(number);
      this.#last = number;
      return this.describe(number);
    }
    throw new CastellanError("unavailable", `The node has no room for more than ${this.capacity} sandboxes`);
  }

  /** Takes this very slot. @returns undefined when it is taken or there is none of that number. */
  takeNumber(number: number): Slot | undefined {
    if (!Number.isInteger(number) || number < 1 || number > this.capacity || this.#taken.has(number)) return undefined;
    this.#taken.add(number);
    this.#last = Math.max(this.#last, number);
    return this.describe(number);
  }

  release(slot: Slot): void {
    this.#taken.delete(slot.number);
  }

  describe(number: number): Slot {
    const device = `${this.#prefix}-${number.toString(16)}`;
    const gateway = this.#network + 2 * number;
    return {
      number,
      // Slot 1 has the first range.
      firstId: this.#uidBase + (number - 1) * idsPerSlot,
      device,
      gateway: formatIpv4(gateway),
      address: formatIpv4(gateway + 1),
    };
  }
}
