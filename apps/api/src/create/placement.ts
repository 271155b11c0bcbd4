import { CastellanError, type Isolation, type NodeTemplate, type TemplateLimits } from "@castellan/domain";
import type { KnownNode, NodeDirectory } from "../nodes/directory.ts";
import type { StoreClock } from "../store-clock.ts";
import { resourcesWith, templateLimitsOf } from "./limits.ts";
import { hasMemoryFor } from "./memory-room.ts";

/** A node for a start, and the template as that node has it. */
export interface Place {
  readonly node: KnownNode;
  readonly template: NodeTemplate;
}

/** What a sandbox needs of its node. */
export interface Wanted {
  /** A template's id or alias. */
  readonly template: string;
  /** Absent: any. */
  readonly isolation?: Isolation;
}

/** Chooses nodes: the least loaded one that has the template and room, so that sandboxes spread. */
export interface Placement {
  /**
   * @throws `not_found` when no node has the template; `invalid_argument` when no node has the isolation asked for;
   * `unavailable` when none that has both can take a sandbox now, or all of those are among `tried`.
   */
  choose(wanted: Wanted, tried: ReadonlySet<string>): Promise<Place>;
}

/** `templateLimits` is what is said about templates, by id or alias. */
export function createPlacement(
  directory: NodeDirectory,
  clock: StoreClock,
  templateLimits: Readonly<Record<string, TemplateLimits>> = {},
): Placement {
  return {
    async choose({ template, isolation }, tried) {
      let places = placesFor(template);
      if (places.length === 0) {
        await directory.refresh();
        places = placesFor(template);
      }
      if (directory.all().length === 0) throw full("No node has registered yet");
      if (places.length === 0) throw new CastellanError("not_found", `template '${printable(template)}' not found`);

      const now = clock.now();
      const fitting = places.filter(
        ({ node }) => isolation === undefined || node.record.isolations.includes(isolation),
      );
      if (fitting.length === 0) {
        throw new CastellanError("invalid_argument", `No node offers sandboxes with isolation ${isolation}`);
      }
      const ready = fitting.filter(({ node }) => node.record.leaseExpiresAt > now && !tried.has(node.nodeId));
      if (ready.length === 0) throw full("No node that has the template answers");
      const roomy = ready.filter(({ node, template: { resources } }) => hasMemoryFor(node, resources.memoryMb));
      if (roomy.length === 0) throw full("No node has enough memory for another sandbox");
      const [best] = roomy.filter(({ node }) => load(node) < 1).sort((a, b) => load(a.node) - load(b.node));
      if (best === undefined) throw full("Every node is full");
      return best;
    },
  };

  function limited(template: NodeTemplate): NodeTemplate {
    const limits = templateLimitsOf(templateLimits, [template.templateId, ...template.aliases]);
    return { ...template, resources: resourcesWith(template.resources, limits) };
  }

  function placesFor(name: string): Place[] {
    return shuffled(directory.all()).flatMap((node) => {
      const template = node.record.templates.find((one) => one.templateId === name || one.aliases.includes(name));
      return template === undefined ? [] : [{ node, template: limited(template) }];
    });
  }
}

/** From 0, empty, to 1, full. */
function load({ record, starts }: KnownNode): number {
  const used = record.usage.sandboxes + Math.max(record.usage.starting, starts.unreported);
  return record.capacity.sandboxes === 0 ? 1 : used / record.capacity.sandboxes;
}

/** Equally loaded nodes take turns at random; sorting keeps that order. */
function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function full(message: string): CastellanError {
  return new CastellanError("unavailable", message, { retryAfterSeconds: 2 });
}

function printable(text: string): string {
  return text.slice(0, 128).replace(/[^\x20-\x7e]|'/g, "?");
}
