import { historyLimits } from "@castellan/domain";
import { base } from "./prelude.ts";
import { readingScript } from "./script.ts";

/** ARGV: 1 sandbox. Answers {'ok', the newest entries, oldest first}. */
export const readHistory = readingScript(
  "readHistory",
  base,
  `
if call('EXISTS', P .. 's:' .. ARGV[1]) == 0 then return {'missing'} end
return {'ok', call('LRANGE', P .. 'h:' .. ARGV[1], -${historyLimits.entries}, -1)}
`,
);
