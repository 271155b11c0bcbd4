import { leadingFields } from "../record-fields.ts";
import { base, fencing, lines, listing, loading, positions, pushing } from "./prelude.ts";
import { script, upkeepScript } from "./script.ts";

/**
 * What every live edit begins with, in this order: team, operation id (a replay ends here, whatever the state is now),
 * epoch, and whether there is such a sandbox. These parts are code, not functions: nothing runs more often.
 *
 * ARGV: 1 the store's epoch, 2 the request's, 3 sandbox, 4 operation id, 5 grace until a push is due in µs, 6 how long
 * the operation id is kept in ms, 7 the making of the sandbox that the caller has a copy of, or ''.
 */
const entering = `
local epoch, id, operation, made, now = tonumber(ARGV[1]), ARGV[3], ARGV[4], ARGV[7], clock()
local record, metadata = P .. 's:' .. id, P .. 'm:' .. id

-- Operation ids stand in one set per sandbox and span of time, so that they go by themselves, a set at a time.
local kept = tonumber(ARGV[6])
local span = math.floor(now / 1000 / kept)
local operations = P .. 'o:' .. id .. ':' .. digits(span)

local text = call('GET', record)
local replayed = 0
if text and (call('SISMEMBER', operations, operation) == 1
  or call('SISMEMBER', P .. 'o:' .. id .. ':' .. digits(span - 1), operation) == 1) then replayed = 1 end
if replayed == 0 then
  local stop = fence(epoch)
  if stop then return stop end
  if tonumber(ARGV[2]) ~= epoch then return {'stale'} end
  if not text then return {'missing'} end
end
`;

/** What every live edit ends with. Needs \`fields\` (the text's parts, if it changed), \`changed\` and \`whole\`. */
const leaving = `
if changed == 1 then
  fields[V], fields[EPOCH] = '1', digits(epoch)
  text = table.concat(fields, '\\n', 1, whole) .. fields[whole + 1]
  call('SET', record, text)
  if mayBePushed(fields[STATE]) then call('ZADD', P .. 'push', 'LT', digits(now + tonumber(ARGV[5])), id) end
end
if replayed == 0 and call('SADD', operations, operation) == 1 and call('SCARD', operations) == 1 then
  call('PEXPIRE', operations, digits(2 * kept))
end
local identity = (made == '' or made ~= fields[MADE]) and call('GET', P .. 'i:' .. id)
return {'ok', changed, replayed, {identity, text, call('HGETALL', metadata)}}
`;

/**
 * ARGV from 8: revision of If-Match or '', most keys, most bytes; then key and '=' .. value, or key and '-' to remove.
 *
 * Of the record it takes only the leading fields apart.
 */
export const editMetadata = script(
  "editMetadata",
  base,
  fencing,
  positions,
  loading,
  listing,
  pushing,
  entering,
  `
local whole, changed = ${leadingFields}, 0
local pattern = '^${lines(leadingFields)}(.*)$'
local fields = {string.match(text, pattern)}
if fields[V] ~= '1' then
  local upgraded = parse(text)
  fields = {string.match(serialize(upgraded), pattern)}
end

if replayed == 0 then
  local state, revision = fields[STATE], tonumber(fields[MREV])
  if state == 'creating' then return {'missing'} end
  if state == 'killing' then return {'state', state} end
  if ARGV[8] ~= '' and tonumber(ARGV[8]) ~= revision then return {'revision'} end
  local bytes = tonumber(fields[MBYTES])
  if not bytes then
    bytes = 0
    for _, part in ipairs(call('HGETALL', metadata)) do bytes = bytes + #part end
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

  if #sets > 0 or #removals > 0 then
    if call('HLEN', metadata) + added > tonumber(ARGV[9]) then return {'keys'} end
    if bytes > tonumber(ARGV[10]) then return {'bytes'} end

    changed = 1
    -- In portions, because Lua passes at most some thousand values at once.
    for first = 1, #removals, 1000 do
      call('HDEL', metadata, unpack(removals, first, math.min(first + 999, #removals)))
    end
    for first = 1, #sets, 1000 do
      call('HSET', metadata, unpack(sets, first, math.min(first + 999, #sets)))
    end
    local shown = SHOWN[state]
    if shown then
      local member = place(fields[STARTED], id)
      for _, label in ipairs(gone) do call('ZREM', labelKey(shown, label), member) end
      for _, label in ipairs(fresh) do call('ZADD', labelKey(shown, label), 0, member) end
    end
    fields[MREV], fields[MBYTES] = digits(math.max(revision + 1, now, epoch)), digits(bytes)
  end
end
`,
  leaving,
);

/** Which record an edit of a running sandbox takes apart, whole. */
const running = `
local whole, changed, fields = FIELDS, 0, parse(text)
if replayed == 0 then
  if fields[STATE] == 'creating' then return {'missing'} end
  if fields[STATE] ~= 'running' then return {'state', fields[STATE]} end
end
`;

/** ARGV from 8: lifetime in µs, 'set' or 'extend'. */
export const editEndTime = script(
  "editEndTime",
  base,
  fencing,
  positions,
  loading,
  pushing,
  entering,
  running,
  `
local before, value = tonumber(fields[END]), now + tonumber(ARGV[8])
if replayed == 0 and value ~= before and (ARGV[9] == 'set' or value > before) then
  changed = 1
  fields[END], fields[EREV] = digits(value), digits(math.max(tonumber(fields[EREV]) + 1, now, epoch))
  call('ZADD', P .. 'ends', fields[END], id)
end
`,
  leaving,
);

/** ARGV from 8: the policy as JSON in the adapter's one way of writing it. */
export const editEgress = script(
  "editEgress",
  base,
  fencing,
  positions,
  loading,
  pushing,
  entering,
  running,
  `
if replayed == 0 and fields[EGRESS] ~= ARGV[8] then
  changed = 1
  fields[EGRESS], fields[GREV] = ARGV[8], digits(math.max(tonumber(fields[GREV]) + 1, now, epoch))
end
`,
  leaving,
);

/**
 * Notes what nodes hold. ARGV: 1 the store's epoch; then for each report: sandbox, execution, epoch, boot, and the
 * revisions of metadata, end time and egress.
 */
export const confirm = upkeepScript(
  "confirm",
  base,
  fencing,
  positions,
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
