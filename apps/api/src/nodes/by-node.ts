/** The items by the node that they are on. */
export function byNode<T extends { readonly nodeId: string }>(items: readonly T[]): Map<string, T[]> {
  return Map.groupBy(items, ({ nodeId }) => nodeId);
}
