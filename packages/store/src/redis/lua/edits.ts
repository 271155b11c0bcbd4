import { base, fencing, listing, loading, portions, pushing, readingWithout, revising } from "./prelude.ts";
import { script, upkeepScript } from "./script.ts";

/**
 * What every live edit begins with, in this order: team, operation id (a replay ends here, whatever the state is now),
 * epoch. ARGV: 1 the store's epoch, 2 the request's, 3 sandbox, 4 operation id, 5 grace until a push is due in µs,
 * 6 how long the operation id is kept in ms, 7 the making of the sandbox that the caller has a copy of, or ''.
 */
const beginning = `
local epoch, id = tonumber(ARGV[1]), ARGV[3]
local operation = P .. 'o:' .. id .. ':' .. ARGV[4]

-- Answers the record's fields, or nothing and what to return.
local function begin()
  local fields = load(id)
  if fields and call('EXISTS', operation) == 1 then
    return nil, {'ok', 0, 1, readWithout(id, fields, ARGV[7])}
  end
  local stop = fence(epoch)
  if stop then return nil, stop end
  if tonumber(ARGV[2]) ~= epoch then return nil, {'stale'} end
  if not fields or fields[STATE] == 'creating' then return nil, {'missing'} end
  return fields
end

local function finish(changed, fields)
  call('SET', operation, '', 'PX', ARGV[6])
  return {'ok', changed, 0, readWithout(id, fields, ARGV[7])}
end

local function commit(fields, now)
  fields[V], fields[EPOCH] = '1', digits(epoch)
  save(id, fields)
  duePush(id, fields[STATE], now + tonumber(ARGV[5]))
  return finish(1, fields)
end
`;

/**
 * ARGV from 8: revision of If-Match or '', most keys, most bytes; then key and '=' .. value, or key and '-' to remove.
 */
export const editMetadata = script(
  "editMetadata",
  base,
  fencing,
  loading,
  readingWithout,
  revising,
  portions,
  listing,
  pushing,
  beginning,
  `
local fields, stop = begin()
if stop then return stop end
if fields[STATE] == 'killing' then return {'state', 'killing'} end
local revision = tonumber(fields[MREV])
if ARGV[8] ~= '' and tonumber(ARGV[8]) ~= revision then return {'revision'} end

local metadata = P .. 'm:' .. id
local bytes = tonumber(fields[MBYTES])
if not bytes then
  bytes = 0
  for _, text in ipairs(call('HGETALL', metadata)) do bytes = bytes + #text end
end

-- The delta against what is stored: what it sets, what it removes, and the tags that come and go with that.
local sets, removals, fresh, gone, added = {}, {}, {}, {}, 0
for i = 11, #ARGV, 2 do
  local key, edit = ARGV[i], ARGV[i + 1]
  local before = call('HGET', metadata, key)
  if edit == '-' then
    if before then
      removals[#removals + 1] = key
      gone[#gone + 1] = tagLabel(key, before)
      bytes = bytes - #key - #before
      added = added - 1
    end
  else
    local after = string.sub(edit, 2)
    if before ~= after then
      sets[#sets + 1] = key
      sets[#sets + 1] = after
      fresh[#fresh + 1] = tagLabel(key, after)
      if before then
        gone[#gone + 1] = tagLabel(key, before)
        bytes = bytes - #before + #after
      else
        bytes = bytes + #key + #after
        added = added + 1
      end
    end
  end
end
if #sets == 0 and #removals == 0 then return finish(0, fields) end

if call('HLEN', metadata) + added > tonumber(ARGV[9]) then return {'keys'} end
if bytes > tonumber(ARGV[10]) then return {'bytes'} end

local now = clock()
inPortions('HDEL', metadata, removals)
inPortions('HSET', metadata, sets)
local shown = SHOWN[fields[STATE]]
if shown then
  local member = place(fields[STARTED], id)
  for _, label in ipairs(gone) do call('ZREM', labelKey(shown, label), member) end
  for _, label in ipairs(fresh) do call('ZADD', labelKey(shown, label), 0, member) end
end
fields[MREV], fields[MBYTES] = digits(nextRevision(revision, now, epoch)), digits(bytes)
return commit(fields, now)
`,
);

/** ARGV from 8: lifetime in µs, 'set' or 'extend'. */
export const editEndTime = script(
  "editEndTime",
  base,
  fencing,
  loading,
  readingWithout,
  revising,
  pushing,
  beginning,
  `
local fields, stop = begin()
if stop then return stop end
if fields[STATE] ~= 'running' then return {'state', fields[STATE]} end
local now, before = clock(), tonumber(fields[END])
local value = now + tonumber(ARGV[8])
if value == before or (ARGV[9] == 'extend' and value < before) then return finish(0, fields) end

fields[END], fields[EREV] = digits(value), digits(nextRevision(tonumber(fields[EREV]), now, epoch))
call('ZADD', P .. 'ends', fields[END], id)
return commit(fields, now)
`,
);

/** ARGV from 8: the policy as JSON in the adapter's one way of writing it. */
export const editEgress = script(
  "editEgress",
  base,
  fencing,
  loading,
  readingWithout,
  revising,
  pushing,
  beginning,
  `
local fields, stop = begin()
if stop then return stop end
if fields[STATE] ~= 'running' then return {'state', fields[STATE]} end
if fields[EGRESS] == ARGV[8] then return finish(0, fields) end

local now = clock()
fields[EGRESS], fields[GREV] = ARGV[8], digits(nextRevision(tonumber(fields[GREV]), now, epoch))
return commit(fields, now)
`,
);

/**
 * Notes what nodes hold. ARGV: 1 the store's epoch; then for each report: sandbox, execution, epoch, boot, and the
 * revisions of metadata, end time and egress.
 */
export const confirm = upkeepScript(
  "confirm",
  base,
  fencing,
  loading,
  pushing,
  `
local epoch = tonumber(ARGV[1])
local stop = fence(epoch)
if stop then return stop end
local REVISION, APPLIED = {MREV, EREV, GREV}, {MAPP, EAPP, GAPP}

for i = 2, #ARGV, 7 do
  local id, boot = ARGV[i], ARGV[i + 3]
  local fields = load(id)
  if fields and fields[EXEC] == ARGV[i + 1] and fields[PREV] ~= boot and tonumber(ARGV[i + 2]) == epoch then
    local current = true
    for n, field in ipairs(APPLIED) do
      local applied = tonumber(ARGV[i + 3 + n])
      if fields[BOOT] == boot then applied = math.max(applied, tonumber(fields[field])) end
      current = current and applied == tonumber(fields[REVISION[n]])
      fields[field] = digits(applied)
    end
    if fields[BOOT] ~= boot then fields[BOOT], fields[PREV] = boot, fields[BOOT] end
    fields[V], fields[EPOCH] = '1', digits(epoch)
    save(id, fields)
    if current then
      call('ZREM', P .. 'push', id)
    elseif mayBePushed(fields[STATE]) then
      call('ZADD', P .. 'push', 'NX', digits(clock()), id)
    end
  end
end
return {'ok'}
`,
);
