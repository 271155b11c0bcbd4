import { base } from "./prelude.ts";
import { readingScript } from "./script.ts";

/**
 * ARGV: 1 sandbox, 2 the revision below which the page begins or '', 3 how many entries. Answers {'ok', the oldest entry
 * or '', entries from the newest on}; reads what the page needs, a hundred at a time.
 */
export const readHistory = readingScript(
  "readHistory",
  base,
  `
if call('EXISTS', P .. 's:' .. ARGV[1]) == 0 then return {'missing'} end
local key, before, limit = P .. 'h:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest = call('LINDEX', key, 0)
local answer, last = {'ok', oldest and string.match(oldest, '^%d+') or ''}, call('LLEN', key) - 1
while last >= 0 and #answer - 2 < limit do
  local first = math.max(0, last - (before and 99 or math.min(99, limit - #answer + 1)))
  local part = call('LRANGE', key, first, last)
  for i = #part, 1, -1 do
    if #answer - 2 < limit and (not before or tonumber(string.match(part[i], '^%d+')) < before) then
      answer[#answer + 1] = part[i]
    end
  end
  last = first - 1
end
return answer
`,
);
