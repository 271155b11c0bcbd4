import type { components, paths } from "@castellan/contracts/openapi";
import type { Client } from "openapi-fetch";
import { errorOf } from "./errors.ts";

/** A sandbox's metadata at one revision. */
export interface MetadataState {
  readonly metadata: Readonly<Record<string, string>>;
  /** Grows with every effective edit. */
  readonly revision: number;
  /** What the sandbox's node last confirmed. */
  readonly appliedRevision: number;
}

export interface PatchResult extends MetadataState {
  /**
   * Whether store and node agree on this state. If not, the edit is committed all the same: it shows in get, list and
   * filters at once, and is pushed to the node until that has confirmed it.
   */
  readonly confirmed: boolean;
}

/** One effective change of a sandbox's metadata. */
export interface MetadataChange {
  /** RFC 3339. */
  readonly time: string;
  readonly revision: number;
  /**
   * `created` with the sandbox, `edited` by a request; `adopted` from its node after the store had lost something, or
   * `merged`: the same, with edits over it that the store had taken meanwhile.
   */
  readonly kind: "created" | "edited" | "adopted" | "merged";
  /** A string was set, `null` was removed. */
  readonly delta: Readonly<Record<string, string | null>>;
  /** Whose request it was; absent where it was none. */
  readonly apiKeyId?: string;
}

export interface MetadataHistory {
  /** Newest first. */
  readonly changes: readonly MetadataChange[];
  /** The oldest revision that the service still tells of; absent when it tells of none. */
  readonly oldestRevision?: number;
}

export interface HistoryOptions {
  /** Changes of this page, 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** Only changes with a lower revision: the last of the page before. */
  readonly before?: number;
  readonly signal?: AbortSignal;
}

export interface PatchOptions {
  /** Edit only if the metadata still has this revision; else the call rejects with status 412 and nothing changes. */
  readonly ifRevision?: number;
  /**
   * A name of the caller's own for this edit, 1 to 255 printable ASCII characters: sent again under it within 24 h, the
   * same edit has no second effect and the answer is the first one's. Another edit under it rejects with status 422.
   */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** Reads and edits the metadata of sandboxes, running or paused. */
export interface MetadataClient {
  get(sandboxId: string, options?: { readonly signal?: AbortSignal }): Promise<MetadataState>;
  /**
   * Edits single keys: a string sets the key, `null` or `""` removes it, and keys that are not named stay. Concurrent
   * edits of different keys never undo each other. (A merge patch of RFC 7396 would keep `""`; this one removes it.)
   *
   * @throws ApiError 400 for what is not allowed, 404, 409 while the sandbox is being killed, 412 (see `ifRevision`), 422 (see
   * `idempotencyKey`).
   */
  patch(
    sandboxId: string,
    edits: Readonly<Record<string, string | null>>,
    options?: PatchOptions,
  ): Promise<PatchResult>;
  /** How the metadata became what it is: the last 1,000 changes, or the last MiB of them, a page at a time. */
  history(sandboxId: string, options?: HistoryOptions): Promise<MetadataHistory>;
}

export function metadataClient(api: Client<paths>): MetadataClient {
  return {
    async get(sandboxID, { signal } = {}) {
      const { data, error, response } = await api.GET("/sandboxes/{sandboxID}/metadata", {
        params: { path: { sandboxID } },
        ...(signal === undefined ? {} : { signal }),
      });
      if (data === undefined) throw errorOf(response, error);
      return stateOf(data);
    },
    async patch(sandboxID, edits, { ifRevision, idempotencyKey, signal } = {}) {
      const header = {
        ...(ifRevision === undefined ? {} : { "If-Match": `"${ifRevision}"` }),
        ...(idempotencyKey === undefined ? {} : { "Idempotency-Key": idempotencyKey }),
      };
      const { data, error, response } = await api.PATCH("/sandboxes/{sandboxID}/metadata", {
        params: { path: { sandboxID }, header },
        body: edits,
        ...(signal === undefined ? {} : { signal }),
      });
      if (data === undefined) throw errorOf(response, error);
      return { ...stateOf(data), confirmed: response.status === 200 };
    },
    async history(sandboxID, { limit, before, signal } = {}) {
      const query = { ...(limit === undefined ? {} : { limit }), ...(before === undefined ? {} : { before }) };
      const { data, error, response } = await api.GET("/sandboxes/{sandboxID}/metadata/history", {
        params: { path: { sandboxID }, query },
        ...(signal === undefined ? {} : { signal }),
      });
      if (data === undefined) throw errorOf(response, error);
      const { changes, oldestRevision } = data;
      return { changes: changes.map(changeOf), ...(oldestRevision === undefined ? {} : { oldestRevision }) };
    },
  };
}

function stateOf({ metadata, revision, appliedRevision }: components["schemas"]["MetadataState"]): MetadataState {
  return { metadata, revision, appliedRevision };
}

function changeOf({ apiKeyID, ...change }: components["schemas"]["MetadataChange"]): MetadataChange {
  return { ...change, ...(apiKeyID === undefined ? {} : { apiKeyId: apiKeyID }) };
}
