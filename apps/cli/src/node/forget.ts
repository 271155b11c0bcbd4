import { RegistryService } from "@castellan/contracts/node";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Failure } from "../failure.ts";
import type { NodeSettings } from "../settings.ts";
import { clusterTokenKind, readSecret } from "../up/secret-file.ts";

const timeoutMs = 5_000;

/**
 * `castellan node forget`: tells a control plane that nothing runs on a node any more, so that nobody waits for it.
 * @returns whether it was registered.
 * @throws Failure when no control plane answers.
 */
export async function forgetNode(
  { controlPlaneUrls, tokenFile }: Pick<NodeSettings, "controlPlaneUrls" | "tokenFile">,
  nodeId: string,
): Promise<boolean> {
  const token = await readSecret(tokenFile, clusterTokenKind);
  if (token === undefined) throw new Failure(`There is no cluster token in ${tokenFile}.`);
  let cause: unknown;
  for (const baseUrl of controlPlaneUrls) {
    const sessionManager = new Http2SessionManager(baseUrl);
    const transport = createConnectTransport({ httpVersion: "2", baseUrl, sessionManager });
    try {
      const headers = { authorization: `Bearer ${token}` };
      const { known } = await createClient(RegistryService, transport).forget({ nodeId }, { headers, timeoutMs });
      return known;
    } catch (error) {
      cause = error;
    } finally {
      sessionManager.abort();
    }
  }
  throw new Failure("No control plane took it.", {
    fix: "Name one with --control-plane, as `castellan up` says it.",
    cause,
  });
}
