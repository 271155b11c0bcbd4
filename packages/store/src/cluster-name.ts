import { createHash } from "node:crypto";
import { CastellanError } from "@castellan/domain";

/**
 * The name of the cluster that shares this token: 12 hexadecimal digits that say nothing of a token that was made at
 * random.
 */
export function clusterName(clusterToken: string): string {
  return createHash("sha256").update(`castellan cluster ${clusterToken}`).digest("hex").slice(0, 12);
}

/** Mixing two clusters would end the sandboxes of one for what the other says. */
export function otherCluster(where: string, mend: string): CastellanError {
  return new CastellanError(
    "internal",
    `${where} is the store of another cluster: it has another cluster token. If the token was changed on purpose, ${mend}`,
  );
}
