export { type BuildOptions, buildBaseTemplate } from "./base/build-base-template.ts";
export type { OnProgress } from "./base/progress.ts";
export { type Prerequisite, type Purpose, prerequisites } from "./prerequisites.ts";
export { parseTemplateDescription, type Template, type TemplateDescription } from "./template.ts";
export { type TemplateDirectory, templateDirectory } from "./template-source.ts";
export {
  type BrokenTemplate,
  listStaleBuilds,
  listTemplates,
  loadTemplate,
  registerTemplate,
  removeBuild,
  resolveTemplate,
  type StaleBuild,
} from "./template-store.ts";
