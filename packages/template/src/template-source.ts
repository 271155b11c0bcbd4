import type { NodeTemplate } from "@castellan/domain";
import { listTemplates, resolveTemplate } from "./template-store.ts";

/** What a node asks of its templates; reads the directory anew each time, so a later build is offered at once. */
export interface TemplateDirectory {
  /** The usable templates. Broken ones are left out: `listTemplates` says what is wrong with them. */
  list(): Promise<readonly NodeTemplate[]>;
  /**
   * Absolute path of the root filesystem of the current build.
   * @throws `not_found`
   */
  rootfs(idOrAlias: string): Promise<string>;
}

/** The templates below `dir` as a node offers them. */
export function templateDirectory(dir: string): TemplateDirectory {
  return {
    async list() {
      const { templates } = await listTemplates(dir);
      return templates.map(({ templateId, aliases, cpuCount, memoryMb, diskMb, envdVersion }) => ({
        templateId,
        aliases,
        resources: { cpuCount, memoryMb, diskMb },
        envdVersion,
      }));
    },
    async rootfs(idOrAlias) {
      return (await resolveTemplate(dir, idOrAlias)).rootfs;
    },
  };
}
