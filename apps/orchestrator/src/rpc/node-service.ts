import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NodeDescriptionSchema, NodeService } from "@castellan/contracts/node";
import { CastellanError } from "@castellan/domain";
import type { ServiceImpl } from "@connectrpc/connect";
import { readNumber } from "../sandboxes/messages.ts";
import type { Journal } from "../state/journal.ts";

export interface NodeServiceParts {
  readonly journal: Journal;
  readonly describe: () => Promise<MessageInitShape<typeof NodeDescriptionSchema>>;
}

/** What the node says of itself when asked. An epoch of 0 asks without telling one. */
export function nodeService({ journal, describe }: NodeServiceParts): ServiceImpl<typeof NodeService> {
  return {
    async info(request) {
      const epoch = readNumber(request.epoch, "epoch");
      if (epoch > 0 && !(await journal.admitEpoch(epoch))) {
        throw new CastellanError("precondition_failed", `Epoch ${epoch} is older than what the node has seen`);
      }
      return { node: await describe(), epoch: BigInt(journal.state.epoch) };
    },
  };
}
