import { emitting, lifeEvents } from "./events.ts";
import { becoming, inserting } from "./life.ts";
import {
  base,
  fencing,
  history,
  listing,
  loading,
  positions,
  pushing,
  relisting,
  revising,
  states,
  verifying,
} from "./prelude.ts";
import { script, upkeepScript } from "./script.ts";

/** What a node holds beyond the record: `takeFound` of the domain. */
const taking = `
local function size(text)
  local _, escapes = string.gsub(text, '\\\\.', '')
  return #text - escapes
end

-- Own edits over what was found; answers the text, its bytes and its keys.
local function mergeOwnOver(found, id, mostKeys, mostBytes)
  local own, merged, bytes, keys = {}, {''}, 0, 0
  local stored = call('HGETALL', P .. 'd:' .. id)
  for i = 1, #stored, 2 do
    local key, edit = stored[i], stored[i + 1]
    own[key] = edit
    if edit ~= '-' then
      local value = string.sub(edit, 2)
      merged[#merged + 1] = key .. '\\t' .. value
      bytes, keys = bytes + size(key) + size(value), keys + 1
    end
  end
  for key, value in string.gmatch(found, '([^\\n\\t]+)\\t([^\\n]*)') do
    local more = size(key) + size(value)
    if not own[key] and keys < mostKeys and bytes + more <= mostBytes then
      merged[#merged + 1] = key .. '\\t' .. value
      bytes, keys = bytes + more, keys + 1
    end
  end
  merged[#merged + 1] = ''
  return table.concat(merged, '\\n'), bytes, keys
end

-- found: mrev, metadata, bytes, keys, erev, ending, grev, egress. Answers 'nothing', 'adopted' or 'merged'.
local function takeFound(id, fields, found, now, epoch, mostKeys, mostBytes)
  local m, e, g, ending = string.match(fields[OWN], '^(%d+) (%d+) (%d+) (%a+)$')
  local since = {
    [MREV] = tonumber(m or fields[MREV]), [EREV] = tonumber(e or fields[EREV]), [GREV] = tonumber(g or fields[GREV])
  }
  local outcome = 'nothing'
  -- Gives the field the revision that it then has. Answers whether the found value is foreign, and whether it is under
  -- an own edit.
  local function foreign(field, revision)
    local mine = tonumber(fields[field])
    if revision <= since[field] then return false, false end
    local own = mine ~= since[field]
    if own then
      outcome, fields[field] = 'merged', digits(nextRevision(math.max(mine, revision), now, epoch))
    else
      if outcome == 'nothing' then outcome = 'adopted' end
      fields[field] = digits(revision)
    end
    since[field] = revision
    return true, own
  end

  local isForeign, own = foreign(MREV, found.mrev)
  if isForeign and own then
    local text, bytes, keys = mergeOwnOver(found.metadata, id, mostKeys, mostBytes)
    fields[METADATA], fields[MBYTES], fields[MKEYS] = text, digits(bytes), digits(keys)
  elseif isForeign then
    fields[METADATA], fields[MBYTES], fields[MKEYS] = found.metadata, found.bytes, found.keys
  end
  isForeign, own = foreign(EREV, found.erev)
  if isForeign and not own then
    fields[END] = digits(found.ending)
  elseif isForeign and ending ~= 'set' then
    fields[END] = digits(math.max(tonumber(fields[END]), found.ending))
  end
  isForeign, own = foreign(GREV, found.grev)
  if isForeign and not own then fields[EGRESS] = found.egress end
  -- What has been taken once is not foreign the next time.
  if ending then
    fields[OWN] = table.concat({digits(since[MREV]), digits(since[EREV]), digits(since[GREV]), ending}, ' ')
  end
  return outcome
end
`;

/** The difference of two texts of metadata, as a history has it. */
const comparing = `
local function changesBetween(before, after)
  local old, lines = {}, {}
  for key, value in string.gmatch(before, '([^\\n\\t]+)\\t([^\\n]*)') do old[key] = value end
  for key, value in string.gmatch(after, '([^\\n\\t]+)\\t([^\\n]*)') do
    if old[key] ~= value then lines[#lines + 1] = key .. '\\t=' .. value .. '\\n' end
    old[key] = nil
  end
  for key in pairs(old) do lines[#lines + 1] = key .. '\\t-\\n' end
  return table.concat(lines)
end
`;

/**
 * ARGV: 1 the store's epoch, 2 the report's, 3 sandbox, 4 execution, 5 generation, 6 node, 7 boot, 8 start,
 * 9 revision of the metadata, 10 end, 11 its revision, 12 egress, 13 its revision, 14 identity, 15 template,
 * 16 alias or '', 17 bytes and 18 keys of the metadata, 19 the metadata, 20 most keys and 21 most bytes of a merge.
 */
export const adopt = script(
  "adopt",
  base,
  verifying,
  fencing,
  revising,
  positions,
  loading,
  listing,
  relisting,
  pushing,
  states,
  inserting,
  emitting,
  lifeEvents,
  becoming,
  taking,
  history,
  comparing,
  `
local epoch, id, execution = tonumber(ARGV[1]), ARGV[3], ARGV[4]
-- A node's report may be the first that an emptied store hears of a team.
call('SET', KEYS[1], digits(epoch), 'NX')
local stop = fence(epoch)
if stop then return stop end
local fields = load(id)
local newer = fields and fields[EXEC] ~= execution and tonumber(ARGV[5]) > tonumber(fields[GEN])
if fields and fields[EXEC] ~= execution and not newer then return {'known'} end
if call('EXISTS', P .. 'x:' .. id .. ':' .. execution) == 1 then return {'tombstoned'} end
if tonumber(ARGV[2]) ~= epoch then return {'stale'} end

if not fields then
  -- Not verified: other nodes may know of a newer execution.
  insert(id, ARGV[14], {
    [STATE] = 'running', [EXEC] = execution, [GEN] = ARGV[5], [NODE] = ARGV[6], [BOOT] = ARGV[7], [STARTED] = ARGV[8],
    [EPOCH] = '0~', [TPL] = ARGV[15], [ALIAS] = ARGV[16],
    [MREV] = ARGV[9], [MAPP] = ARGV[9], [MBYTES] = ARGV[17], [MKEYS] = ARGV[18],
    [METADATA] = '\\n' .. ARGV[19],
    [END] = ARGV[10], [EREV] = ARGV[11], [EAPP] = ARGV[11],
    [EGRESS] = ARGV[12], [GREV] = ARGV[13], [GAPP] = ARGV[13]
  })
  emitLife(epoch, clock(), 'found', id, load(id), {key = ''})
  recordChange(id, tonumber(ARGV[9]), clock(), 'adopted', '', (string.gsub(ARGV[19], '\\t', '\\t=')))
  return {'adopted'}
end

local now, state, before = clock(), fields[STATE], {unpack(fields)}
local outcome = takeFound(id, fields, {
  mrev = tonumber(ARGV[9]), metadata = '\\n' .. ARGV[19], bytes = ARGV[17], keys = ARGV[18],
  erev = tonumber(ARGV[11]), ending = tonumber(ARGV[10]), grev = tonumber(ARGV[13]), egress = ARGV[12]
}, now, epoch, tonumber(ARGV[20]), tonumber(ARGV[21]))
-- What the store has forgotten may be that the start succeeded, and was answered.
local begun = not isVerified(fields[EPOCH], epoch) and (state == 'creating' or state == 'resuming')
if outcome == 'nothing' and not newer and not begun then return {'known'} end

local change = {
  to = state, boot = ARGV[7], applied = {tonumber(ARGV[9]), tonumber(ARGV[11]), tonumber(ARGV[13])},
  wait = fields[DEADLINE] ~= '' and tonumber(fields[DEADLINE]) - now or 0
}
if newer then change.exec, change.gen, change.node, change.started = execution, ARGV[5], ARGV[6], ARGV[8] end
if state ~= 'killing' and (newer or begun) then change.to = 'running' end
-- Before and after under their own labels.
delist(id, before)
become(id, fields, change, epoch)
enlist(id, fields)
emitLife(epoch, now, 'found', id, fields, {key = ''})
if fields[MREV] ~= before[MREV] then
  local revision = tonumber(fields[MREV])
  local kind = revision == tonumber(ARGV[9]) and 'adopted' or 'merged'
  recordChange(id, revision, now, kind, '', changesBetween(before[METADATA], fields[METADATA]))
end
return {outcome == 'merged' and 'merged' or 'adopted'}
`,
);

/**
 * ARGV: 1 the store's epoch, 2 the caller's; then for each record: sandbox, execution, '1' when every node has reported,
 * '1' when its own has.
 */
export const verify = upkeepScript(
  "verify",
  base,
  verifying,
  fencing,
  positions,
  loading,
  pushing,
  `
local epoch = tonumber(ARGV[1])
local stop = fence(epoch)
if stop then return stop end
if tonumber(ARGV[2]) ~= epoch then return {'stale'} end
local REVISION, APPLIED = {MREV, EREV, GREV}, {MAPP, EAPP, GAPP}

for i = 3, #ARGV, 4 do
  local id, fully = ARGV[i], ARGV[i + 2] == '1'
  local fields = load(id)
  local news = fields and fields[EXEC] == ARGV[i + 1] and fields[EPOCH] ~= digits(epoch)
  if news and (fully or not isVerified(fields[EPOCH], epoch)) then
    if ARGV[i + 3] ~= '1' then
      fields[BOOT] = ''
      for _, field in ipairs(APPLIED) do fields[field] = '0' end
    end
    fields[EPOCH] = digits(epoch) .. (fully and '' or '~')
    if fully and fields[OWN] ~= '' then
      fields[OWN] = ''
      call('DEL', P .. 'd:' .. id)
    end
    save(id, fields)
    local current = true
    for n, field in ipairs(APPLIED) do current = current and tonumber(fields[field]) == tonumber(fields[REVISION[n]]) end
    if not current and mayBePushed(fields[STATE]) then call('ZADD', P .. 'push', 'LT', digits(clock()), id) end
  end
end
return {'ok'}
`,
);
