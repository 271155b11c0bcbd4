import { hasCode } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import { type Address, daemonPort } from "./address.ts";
import {
  type Answer,
  badRequest,
  filesOfNoSandbox,
  noSuchPath,
  send,
  signatureExpired,
  signatureInvalid,
  storeAway,
  tooManySandboxes,
  tooManySearches,
} from "./answers.ts";
import type { ApiDeadline } from "./api-deadline.ts";
import { answerPreflight, isPreflight } from "./cors.ts";
import type { EdgeOptions } from "./edge.ts";
import { clientAddress } from "./headers.ts";
import type { EdgeLimits } from "./limits.ts";
import type { Entry } from "./sandbox-entrance.ts";
import { type Found, SignatureSearch } from "./signatures/signature-search.ts";
import { isForFiles, signedUrlOf } from "./signatures/signed-url.ts";

type Unaddressed = Omit<Entry, "address">;

export interface UnaddressedOptions {
  readonly api: EdgeOptions["api"];
  readonly liveTokens: EdgeOptions["liveTokens"];
  readonly deadline: ApiDeadline;
  readonly limits: EdgeLimits;
  readonly logger: Logger;
  /** Takes the request into the sandbox that it turned out to be for. */
  readonly enter: (entry: Unaddressed, address: Address) => void;
}

/**
 * Requests whose headers name no sandbox: a preflight, which may be for either side; a signed file URL, which is for the
 * sandbox whose token it was signed with; and the API's.
 */
export class UnaddressedRequests {
  readonly #options: UnaddressedOptions;
  readonly #search: SignatureSearch | undefined;

  constructor(options: UnaddressedOptions) {
    const { liveTokens, limits } = options;
    this.#options = options;
    this.#search = liveTokens && new SignatureSearch(liveTokens, limits);
  }

  handle(entry: Unaddressed): void {
    const { request, response, expectsContinue } = entry;
    const { api, deadline } = this.#options;
    if (isPreflight(request)) {
      answerPreflight(request, response);
    } else if (this.#search !== undefined && isForFiles(request)) {
      void this.#handleFiles(entry, this.#search);
    } else if (api) {
      if (expectsContinue) response.writeContinue();
      deadline.watch(request, response);
      api(request, response);
    } else {
      send(request, response, noSuchPath);
    }
  }

  /** Never rejects. */
  async #handleFiles(entry: Unaddressed, search: SignatureSearch): Promise<void> {
    const { request, response } = entry;
    try {
      const url = signedUrlOf(request);
      if (url === undefined) return send(request, response, filesOfNoSandbox);
      const found = await search.find(url, clientAddress(request));
      if (response.destroyed) return;
      if ("refused" in found) return send(request, response, this.#answerTo(found));
      this.#options.enter(entry, { sandboxId: found.sandboxId, port: daemonPort, by: "signature" });
    } catch (error) {
      if (response.destroyed) return;
      if (hasCode(error, "invalid_argument")) return send(request, response, badRequest(error.message));
      this.#options.logger.error({ err: error }, "the sandbox of a signed URL could not be looked for");
      send(request, response, storeAway);
    }
  }

  #answerTo(found: Extract<Found, { readonly refused: string }>): Answer {
    switch (found.refused) {
      case "expired":
        return signatureExpired;
      case "unknown":
        return signatureInvalid;
      case "too_many_sandboxes":
        return tooManySandboxes(this.#options.limits.maxSearchedSandboxes);
      case "too_often":
        return tooManySearches(found.retryAfterSeconds);
    }
  }
}
