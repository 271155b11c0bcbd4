import type { SandboxStore } from "@castellan/store";
import type { Answer } from "./answer.ts";
import type { NodeMethod, NodePart, NodeStep } from "./node-part.ts";
import type { StorePart } from "./store-part.ts";

export interface Parts {
  readonly store: StorePart;
  readonly nodes: NodePart;
}

/** What stands between the parts. A guard is taken away by changing what passes here; the real code stays as it is. */
export interface Seams {
  /** The store as the API's code sees it. */
  readonly asSeen?: (store: SandboxStore) => SandboxStore;
  readonly toStore?: (
    parts: Parts,
    store: number,
    method: string,
    args: readonly unknown[],
  ) => Promise<{ readonly store: number; readonly args: readonly unknown[] }>;
  readonly fromStore?: (method: string, answer: Answer) => Answer;
  readonly toNode?: (
    parts: Parts,
    node: number,
    method: NodeMethod,
    request: string,
  ) => { readonly node: number; readonly request: string };
  readonly fromNode?: (before: number, step: NodeStep, method: NodeMethod) => NodeStep;
}
