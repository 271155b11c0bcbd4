import { idempotencyKeptMs, idempotencyKeys, outcomesKept } from "../../options.ts";
import { leadingFields, type RecordField, recordFields } from "../record-fields.ts";
import { emitting } from "./events.ts";
import { base, fencing, history, lines, listing, loading, positions, pushing } from "./prelude.ts";
import { script, upkeepScript } from "./script.ts";

/**
 * What every live edit begins with, in this order: team, operation id (a replay ends here, whatever the state is now),
 * epoch, whether there is such a sandbox, and whether it is verified. These parts are code, not functions: nothing runs more often, and a call
 * of a Redis command from Lua costs more than anything that Lua does.
 *
 * ARGV: 1 the store's epoch, 2 the request's, 3 sandbox, 4 operation id, 5 grace until a push is due in µs, 6 how long
 * the operation id is kept in ms, 7 the making of the sandbox that the caller has a copy of, or '', 8 the API key as JSON
 * or ''.
 */
const entering = `
local epoch, id, operation, made, now = tonumber(ARGV[1]), ARGV[3], ARGV[4], ARGV[7], clock()
local text, changed, replayed = call('GET', P .. 's:' .. id), 0, 0
`;

/** Needs `fields`, if there is a text, and `ifMatch`. */
const checking = `
local partly = false
-- Operation ids stand in one set per sandbox and span of time, so that they go by themselves, a set at a time.
local kept = tonumber(ARGV[6])
local span = math.floor(now / 1000 / kept)
local operations = P .. 'o:' .. id .. ':'
if text then
  local last = tonumber(fields[OSPAN]) or 0
  if (last == span and call('SISMEMBER', operations .. digits(span), operation) == 1)
    or (last >= span - 1 and call('SISMEMBER', operations .. digits(span - 1), operation) == 1) then replayed = 1 end
end
if replayed == 0 then
  local stop = fence(epoch)
  if stop then return stop end
  if tonumber(ARGV[2]) ~= epoch then return {'stale'} end
  if not text or fields[STATE] == 'creating' then return {'missing'} end
  if fields[EPOCH] ~= ARGV[1] then
    partly = fields[EPOCH] == ARGV[1] .. '~'
    if not partly or ifMatch ~= '' then return {'unverified'} end
  end
end
`;

/** Notes in a whole record that it is given something before every node has reported. */
const keeping = `
local function noteOwn(fields, ending)
  local since, before = string.match(fields[OWN], '^(.*) (%a+)$')
  if not since then since = table.concat({fields[MREV], fields[EREV], fields[GREV]}, ' ') end
  fields[OWN] = since .. ' ' .. (before == 'set' and before or ending)
end
`;

/**
 * What every live edit ends with; needs `changed`, a function that puts the fields together, and one that answers the
 * event's execution, template, what it is about, value and body.
 */
const leaving = `
if replayed == 0 then
  local isFirst = fields[OSPAN] ~= digits(span)
  if changed == 1 or isFirst then
    fields[OSPAN] = digits(span)
    text = together()
    call('SET', P .. 's:' .. id, text)
  end
  if changed == 1 then
    local exec, tpl, what, value, body = event()
    emit(epoch, now, {type = 'updated', id = id, exec = exec, tpl = tpl, key = ARGV[8], revision = fields[MREV],
      started = fields[STARTED], what = what, value = value, body = body})
  end
  if changed == 1 and mayBePushed(fields[STATE]) then
    call('ZADD', P .. 'push', 'LT', digits(now + tonumber(ARGV[5])), id)
  end
  call('SADD', operations .. digits(span), operation)
  if isFirst then call('PEXPIRE', operations .. digits(span), digits(2 * kept)) end
end
local identity = (made == '' or made ~= fields[MADE]) and call('GET', P .. 'i:' .. id)
return {'ok', changed, replayed, {identity, text}}
`;

/**
 * Commands with an idempotency key: the hash k: says of each what it was and what it ended with, the list kt: has the keys
 * in their order and km: the metadata. ARGV 14: the key's hash or '', 15: the content's.
 */
const replaying = `
if ARGV[14] ~= '' and text then
  local known = call('HGET', P .. 'k:' .. id, ARGV[14])
  local content, revision, at = string.match(known or '', '^(%x+)\\t(%d+)\\t(%d+)$')
  if content and tonumber(at) > now - ${idempotencyKeptMs * 1000} then
    if content ~= ARGV[15] then return {'reused'} end
    local kept
    for _, outcome in ipairs(call('LRANGE', P .. 'km:' .. id, 0, -1)) do
      if string.sub(outcome, 1, #revision + 1) == revision .. '\\n' then
        kept = string.sub(outcome, #revision + 2)
        break
      end
    end
    return {'ok', 0, 1, {call('GET', P .. 'i:' .. id), text}, revision, kept or false}
  end
end
`;

/** Needs the fields and the metadata as the edit left them. */
const keepingOutcome = `
if replayed == 0 and ARGV[14] ~= '' then
  local outcomes, order, maps = P .. 'k:' .. id, P .. 'kt:' .. id, P .. 'km:' .. id
  local isFirst = call('HSET', outcomes, ARGV[14], ARGV[15] .. '\\t' .. fields[MREV] .. '\\t' .. digits(now))
  if isFirst == 0 then call('LREM', order, 0, ARGV[14]) end
  local keys = call('LPUSH', order, ARGV[14])
  -- The oldest go when they are too many; those that are past their time, two with each that comes.
  for _ = 1, 2 do
    local oldest = call('LINDEX', order, -1)
    local at = string.match(call('HGET', outcomes, oldest) or '', '(%d+)$')
    if keys <= ${idempotencyKeys} and at and tonumber(at) > now - ${idempotencyKeptMs * 1000} then break end
    if oldest == ARGV[14] then break end
    call('RPOP', order)
    call('HDEL', outcomes, oldest)
    keys = keys - 1
  end
  local outcome = fields[MREV] .. '\\n' .. metadata
  local bytes = call('HINCRBY', outcomes, 'bytes', #outcome)
  local kept = call('LPUSH', maps, outcome)
  while kept > 1 and (kept > ${outcomesKept.maps} or bytes > ${outcomesKept.bytes}) do
    bytes = call('HINCRBY', outcomes, 'bytes', -#call('RPOP', maps))
    kept = kept - 1
  end
  for _, key in ipairs({outcomes, order, maps}) do call('PEXPIRE', key, ${idempotencyKeptMs}) end
end
`;

/**
 * ARGV from 9: revision of If-Match or '', most keys, most bytes, most keys and most bytes of the edits kept before every
 * node has reported, an idempotency key and its content or '' twice; then key and '=' .. value, or key and '-' to remove,
 * escaped.
 *
 * Of the record it takes only the leading fields and the metadata out; the rest stays in one piece.
 */
export const editMetadata = script(
  "editMetadata",
  base,
  fencing,
  positions,
  loading,
  listing,
  pushing,
  emitting,
  keeping,
  history,
  entering,
  replaying,
  `
local fields, rest, metadata
local ifMatch = ARGV[9]
if text then
  if string.sub(text, 1, 2) ~= '1\\n' then text = serialize(parse(text)) end
  local cut = string.find(text, '\\n\\t\\n', 1, true)
  fields = {string.match(text, '^${lines(leadingFields)}()')}
  rest, metadata = string.sub(text, fields[${leadingFields + 1}], cut - 1), string.sub(text, cut + 2)
end
local function together()
  return table.concat(fields, '\\n', 1, ${leadingFields}) .. rest .. '\\n\\t' .. metadata
end
local delta = {}
local function event()
  local exec, tpl = string.match(rest, '^${restPattern("exec", "tpl")}')
  if not exec then
    local all = parse(text)
    exec, tpl = all[EXEC], all[TPL]
  end
  delta[#delta + 1] = ''
  return exec, tpl, 'metadata', '', table.concat(delta, '\\n')
end
`,
  checking,
  `
-- Bytes before escaping: every escape is a backslash and one more character.
local function size(text)
  if not string.find(text, '\\\\', 1, true) then return #text end
  local _, escapes = string.gsub(text, '\\\\.', '')
  return #text - escapes
end

if replayed == 0 then
  local state, revision = fields[STATE], tonumber(fields[MREV])
  if state == 'killing' then return {'state', state} end
  if ifMatch ~= '' and tonumber(ifMatch) ~= revision then return {'revision'} end
  local bytes, keys = tonumber(fields[MBYTES]), tonumber(fields[MKEYS])
  if not bytes or not keys then
    bytes, keys = 0, 0
    for key, value in string.gmatch(metadata, '([^\\n\\t]+)\\t([^\\n]*)') do
      bytes, keys = bytes + size(key) + size(value), keys + 1
    end
  end

  -- A few entries are found and replaced in the text; for many, that would take time by the square of their number, and
  -- the text is taken apart.
  local entries, order
  if #ARGV > 31 then
    entries, order = {}, {}
    for key, value in string.gmatch(metadata, '([^\\n\\t]+)\\t([^\\n]*)') do
      entries[key], order[#order + 1] = value, key
    end
  end

  -- The delta against what is stored, and the tags that come and go with it.
  local fresh, gone = {}, {}
  for i = 16, #ARGV, 2 do
    local key, edit = ARGV[i], ARGV[i + 1]
    local after = edit ~= '-' and string.sub(edit, 2) or nil
    local before, start, stop, last
    if entries then
      before = entries[key]
    else
      start, stop = string.find(metadata, '\\n' .. key .. '\\t', 1, true)
      last = start and string.find(metadata, '\\n', stop + 1, true)
      before = start and string.sub(metadata, stop + 1, last - 1)
    end
    if before ~= after then
      delta[#delta + 1] = key .. '\\t' .. edit
      if before then
        gone[#gone + 1] = 'm' .. key .. '\\t' .. before
        bytes, keys = bytes - size(key) - size(before), keys - 1
      end
      if after then
        fresh[#fresh + 1] = 'm' .. key .. '\\t' .. after
        bytes, keys = bytes + size(key) + size(after), keys + 1
      end
      local line = after and key .. '\\t' .. after .. '\\n' or ''
      if entries then
        if not before then order[#order + 1] = key end
        entries[key] = after
      elseif start then
        metadata = string.sub(metadata, 1, start) .. line .. string.sub(metadata, last + 1)
      else
        metadata = metadata .. line
      end
    end
  end
  if entries then
    local kept = {''}
    for _, key in ipairs(order) do
      if entries[key] then kept[#kept + 1] = key .. '\\t' .. entries[key] end
    end
    kept[#kept + 1] = ''
    metadata = table.concat(kept, '\\n')
  end

  if #fresh > 0 or #gone > 0 then
    if keys > tonumber(ARGV[10]) then return {'keys'} end
    if bytes > tonumber(ARGV[11]) then return {'bytes'} end
    changed = 1
  end
  if partly then
    -- The edits so far as one, with this one over them.
    local kept, edits, number, size = P .. 'd:' .. id, {}, 0, 0
    local before = call('HGETALL', kept)
    for i = 1, #before, 2 do edits[before[i]] = before[i + 1] end
    for i = 16, #ARGV, 2 do edits[ARGV[i]] = ARGV[i + 1] end
    for key, edit in pairs(edits) do number, size = number + 1, size + #key + #edit end
    if number > tonumber(ARGV[12]) or size > tonumber(ARGV[13]) then return {'unverified'} end
    for i = 16, #ARGV, 2 do call('HSET', kept, ARGV[i], ARGV[i + 1]) end
    local all = parse(together())
    noteOwn(all, 'extend')
    rest = '\\n' .. table.concat(all, '\\n', ${leadingFields + 1}, FIELDS) .. all[FIELDS + 1]
    changed = 1
  end
  if changed == 1 then
    fields[MREV] = digits(math.max(revision + 1, now, epoch))
    fields[MBYTES], fields[MKEYS] = digits(bytes), digits(keys)
    if #delta > 0 then
      recordChange(id, tonumber(fields[MREV]), now, 'edited', ARGV[8], table.concat(delta, '\\n') .. '\\n')
    end
    local shown = SHOWN[state]
    if shown then
      local member = place(fields[STARTED], id)
      for _, label in ipairs(gone) do call('ZREM', labelKey(shown, label), member) end
      for _, label in ipairs(fresh) do call('ZADD', labelKey(shown, label), 0, member) end
    end
  end
end
`,
  keepingOutcome,
  leaving,
);

/** An edit of a running sandbox takes the whole record apart. */
const whole = `
local fields, ifMatch = text and parse(text), ''
local function together() return serialize(fields) end
`;

const running = `
if replayed == 0 and fields[STATE] ~= 'running' then return {'state', fields[STATE]} end
`;

const runningOrLost = `
if replayed == 0 and fields[STATE] ~= 'running' and fields[STATE] ~= 'lost' then return {'state', fields[STATE]} end
`;

/** ARGV from 9: lifetime in µs, 'set' or 'extend'. */
export const editEndTime = script(
  "editEndTime",
  base,
  fencing,
  positions,
  loading,
  pushing,
  emitting,
  keeping,
  entering,
  whole,
  checking,
  running,
  `
local before, value = tonumber(fields[END]), now + tonumber(ARGV[9])
if ARGV[10] == 'extend' then value = math.max(value, before) end
if replayed == 0 and (value ~= before or partly) then
  changed = 1
  if partly then noteOwn(fields, ARGV[10]) end
  fields[END], fields[EREV] = digits(value), digits(math.max(tonumber(fields[EREV]) + 1, now, epoch))
  call('ZADD', P .. 'ends', fields[END], id)
end
local function event() return fields[EXEC], fields[TPL], 'endTime', fields[END], '' end
`,
  leaving,
);

/** ARGV from 9: the policy as JSON in the adapter's one way of writing it. */
export const editEgress = script(
  "editEgress",
  base,
  fencing,
  positions,
  loading,
  pushing,
  emitting,
  keeping,
  entering,
  whole,
  checking,
  runningOrLost,
  `
if replayed == 0 and (fields[EGRESS] ~= ARGV[9] or partly) then
  changed = 1
  if partly then noteOwn(fields, 'extend') end
  fields[EGRESS], fields[GREV] = ARGV[9], digits(math.max(tonumber(fields[GREV]) + 1, now, epoch))
end
local function event() return fields[EXEC], fields[TPL], 'egress', fields[EGRESS], '' end
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

/** A pattern that captures these two of the lines that follow the leading ones. */
function restPattern(first: RecordField, second: RecordField): string {
  const [a, b] = [first, second].map((name) => recordFields.findIndex((field) => field.name === name) - leadingFields);
  return recordFields
    .slice(leadingFields)
    .map((_, at) => (at === a || at === b ? "\\n([^\\n]*)" : at < (b ?? 0) ? "\\n[^\\n]*" : ""))
    .join("");
}
