import type { NodeTemplate } from "@castellan/domain";

/** The templates that this node can start sandboxes from. */
export interface TemplateSource {
  list(): Promise<readonly NodeTemplate[]> | readonly NodeTemplate[];
  /**
   * Absolute path of a template's root file system.
   * @throws `not_found`
   */
  rootfs(idOrAlias: string): Promise<string> | string;
}
