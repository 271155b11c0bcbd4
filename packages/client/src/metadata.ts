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

export interface PatchOptions {
  /** Edit only if the metadata still has this revision; else the call rejects with status 412 and nothing changes. */
  readonly ifRevision?: number;
  readonly signal?: AbortSignal;
}

/** Reads and edits the metadata of sandboxes, running or paused. */
export interface MetadataClient {
  get(sandboxId: string, options?: { readonly signal?: AbortSignal }): Promise<MetadataState>;
  /**
   * Edits single keys: a string sets the key, `null` or `""` removes it, and keys that are not named stay. Concurrent
   * edits of different keys never undo each other. (A merge patch of RFC 7396 would keep `""`; this one removes it.)
   *
   * @throws ApiError 400 for what is not allowed, 404, 409 while the sandbox is being killed, 412 (see `ifRevision`).
   */
  patch(
    sandboxId: string,
    edits: Readonly<Record<string, string | null>>,
    options?: PatchOptions,
  ): Promise<PatchResult>;
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
    async patch(sandboxID, edits, { ifRevision, signal } = {}) {
      const { data, error, response } = await api.PATCH("/sandboxes/{sandboxID}/metadata", {
        params: {
          path: { sandboxID },
          ...(ifRevision === undefined ? {} : { header: { "If-Match": `"${ifRevision}"` } }),
        },
        body: edits,
        ...(signal === undefined ? {} : { signal }),
      });
      if (data === undefined) throw errorOf(response, error);
      return { ...stateOf(data), confirmed: response.status === 200 };
    },
  };
}

function stateOf({ metadata, revision, appliedRevision }: components["schemas"]["MetadataState"]): MetadataState {
  return { metadata, revision, appliedRevision };
}
