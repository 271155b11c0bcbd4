export { type BuildOptions, buildBaseTemplate } from "./base/build-base-template.ts";
export type { OnProgress } from "./base/progress.ts";
export { parseTemplateDescription, type Template, type TemplateDescription } from "./template.ts";
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
